"""What an evaluation found, as numbers for machines and as a table for people."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Difference", "Evaluation", "ModelMeasures"]

_MANY_TIED = 0.1
"""Share of cases within one instant beyond which a table says so."""

_DIGITS = 6
"""Digits behind the point that are told: far below every interval, above the last bits of a sum."""


@dataclass(frozen=True)
class ModelMeasures:
    """One model's measures.

    Args:
        values: Measure (`hr@10`, `ndcg@10`, `mrr@20`, `coverage@20`, ...) -> mean over cases; NaN where undefined.
        intervals: Measure -> low and high end of the 95 % interval over users; none for coverage.
    """

    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Difference:
    """Two models on the same cases: first - second.

    Args:
        first: Name of a model.
        second: Name of the reference.
        values: Measure -> mean difference.
        intervals: Measure -> its 95 % interval.
    """

    first: str
    second: str
    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Evaluation:
    """All that an evaluation found. The same data, recipes and seed give the same numbers, but for `fit_s`.

    Args:
        protocol: How was asked: name, split, seen, ks, seed, resamples.
        counts: cases, users, items, undefined cases, cases whose target has the same instant as the end of its
            history, cases without a history, sequences and elements learned from.
        models: Name -> measures, in the order in which they were asked for.
        differences: Each model against item_markov and popular, where these are measured too.
        fit_s: Name -> wall seconds of fitting; no part of `to_plain`.
    """

    protocol: Mapping[str, Any]
    counts: Mapping[str, int]
    models: Mapping[str, ModelMeasures]
    differences: tuple[Difference, ...]
    fit_s: Mapping[str, float] = field(default_factory=dict)

    def to_plain(self) -> dict[str, Any]:
        """Return what JSON can hold; null stands for undefined."""
        return {
            "protocol": dict(self.protocol),
            "counts": dict(self.counts),
            "models": {
                name: {**_plain(measures.values), "ci": _plain_ends(measures.intervals)}
                for name, measures in self.models.items()
            },
            "differences": {
                f"{each.first} - {each.second}": {**_plain(each.values), "ci": _plain_ends(each.intervals)}
                for each in self.differences
            },
        }

    def text(self) -> str:
        """Return a table, and a line for each model that does not beat a reference."""
        ks = self.protocol["ks"]
        middle, longest = ks[len(ks) // 2], ks[-1]
        columns = [f"hr@{longest}", f"ndcg@{middle}", f"mrr@{longest}", f"coverage@{longest}"]
        head = ["model", *columns, f"ndcg@{middle} 95 %"]
        rows = [
            [name, *(_number(each.values[column]) for column in columns), _span(each.intervals[f"ndcg@{middle}"])]
            for name, each in self.models.items()
        ]
        widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
        lines = [self._told(), ""]
        lines += [
            "  ".join(cell.ljust(width) if at == 0 else cell.rjust(width) for at, (cell, width) in enumerate(pairs))
            for pairs in (list(zip(row, widths, strict=True)) for row in [head, *rows])
        ]
        verdicts = [line for each in self.differences if (line := _verdict(each, f"ndcg@{middle}"))]
        if self.counts["same_instant"] > _MANY_TIED * self.counts["cases"]:
            verdicts.append(
                f"{self.counts['same_instant']:,} cases ask for an item of the same instant as the one before, such as "
                "two lines of an order: there the order of ids can be learned, which says nothing of shoppers"
            )
        return "\n".join([*lines, *([""] if verdicts else []), *verdicts])

    def _told(self) -> str:
        counts = self.counts
        undefined = f", {counts['undefined']:,} undefined" if counts["undefined"] else ""
        return (
            f"{self.protocol['name']}: {counts['cases']:,} cases of {counts['users']:,} users{undefined}; "
            f"all {counts['items']:,} items ranked, seen items {_SEEN[self.protocol['seen']]}"
        )


_SEEN = {"keep": "kept", "drop": "dropped"}


def _verdict(difference: Difference, measure: str) -> str | None:
    """Say so when a model is not clearly above a reference."""
    low, high = difference.intervals[measure]
    if low > 0 or math.isnan(low):
        return None
    word = "is below" if high < 0 else "is not clearly above"
    mean = difference.values[measure]
    return f"{difference.first} {word} {difference.second}: {measure} {mean:+.4f} [{low:+.4f}, {high:+.4f}]"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _span(ends: tuple[float, float]) -> str:
    return "-" if math.isnan(ends[0]) else f"{ends[0]:.4f}..{ends[1]:.4f}"


def _plain(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else round(value, _DIGITS) for name, value in values.items()}


def _plain_ends(intervals: Mapping[str, tuple[float, float]]) -> dict[str, list[float] | None]:
    return {
        name: None if math.isnan(low) else [round(low, _DIGITS), round(high, _DIGITS)]
        for name, (low, high) in intervals.items()
    }
