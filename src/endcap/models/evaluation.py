"""What an evaluation found, as numbers for machines; `evaluation_text` tells it to people."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from endcap.models.budget import NotFitted
from endcap.models.slices import LEAST_CASES

__all__ = ["Difference", "Evaluation", "ModelMeasures", "Slice"]

_DIGITS = 6
"""Digits behind the point that are told: far below every interval, above the last bits of a sum."""


@dataclass(frozen=True)
class ModelMeasures:
    """One model's measures.

    Args:
        values: Measure (`hr@10`, `ndcg@10`, `mrr@20`, `novelty@10`, `coverage@20`, ...) -> mean over cases; NaN where
            undefined.
        intervals: Measure -> low and high end of the 95 % interval over users; none for coverage and Gini, which are
            of all lists together.
        undefined: Measure -> number of cases in which it is undefined, where there are any.
    """

    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    undefined: Mapping[str, int] = field(default_factory=dict)

    def to_plain(self) -> dict[str, Any]:
        """Return what JSON can hold; null stands for undefined."""
        return {
            **_plain(self.values), "ci": _plain_ends(self.intervals), "undefined": dict(self.undefined)
        }  # fmt: skip


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
class Slice:
    """The models on the cases of one kind; see `models.slices`.

    Args:
        name: Of the slice.
        cases: How many there are.
        users: Of how many users.
        models: Name -> measures of hits; empty where the slice is too small.
        differences: As in `Evaluation`.
    """

    name: str
    cases: int
    users: int
    models: Mapping[str, ModelMeasures]
    differences: tuple[Difference, ...]

    @property
    def is_too_small(self) -> bool:
        """Whether there are too few cases to say anything."""
        return self.cases < LEAST_CASES

    def to_plain(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "cases": self.cases, "users": self.users, "too_small": self.is_too_small,
            "models": {name: measures.to_plain() for name, measures in self.models.items()},
            "differences": _plain_differences(self.differences),
        }  # fmt: skip


@dataclass(frozen=True)
class Evaluation:
    """All that an evaluation found. The same data, recipes and seed give the same numbers, but for seconds.

    Args:
        protocol: How was asked: name, split, seen, ks, seed, resamples.
        counts: cases, users, items, undefined cases, cases whose target has the same instant as the end of its
            history, cases without a history, sequences and elements learned from.
        models: Name -> measures, in the order in which they were asked for.
        differences: Each model against item_markov and popular, where these are measured too.
        slices: The same on the cases of one kind each.
        fit_s: Name -> wall seconds of fitting; no part of `to_plain`.
        not_fitted: Name -> why a model that was asked for has no measures; no part of `to_plain`, as it tells seconds.
    """

    protocol: Mapping[str, Any]
    counts: Mapping[str, int]
    models: Mapping[str, ModelMeasures]
    differences: tuple[Difference, ...]
    slices: tuple[Slice, ...] = ()
    fit_s: Mapping[str, float] = field(default_factory=dict)
    not_fitted: Mapping[str, NotFitted] = field(default_factory=dict)

    def to_plain(self) -> dict[str, Any]:
        """Return what JSON can hold; null stands for undefined."""
        return {
            "protocol": dict(self.protocol),
            "counts": dict(self.counts),
            "models": {name: measures.to_plain() for name, measures in self.models.items()},
            "differences": _plain_differences(self.differences),
            "slices": {each.name: each.to_plain() for each in self.slices},
        }

    def slice_named(self, name: str) -> Slice | None:
        """Return a slice; None where it was not measured."""
        return next((each for each in self.slices if each.name == name), None)


def _plain_differences(differences: tuple[Difference, ...]) -> dict[str, Any]:
    return {
        f"{each.first} - {each.second}": {**_plain(each.values), "ci": _plain_ends(each.intervals)}
        for each in differences
    }


def _plain(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else round(value, _DIGITS) for name, value in values.items()}


def _plain_ends(intervals: Mapping[str, tuple[float, float]]) -> dict[str, list[float] | None]:
    return {
        name: None if math.isnan(low) else [round(low, _DIGITS), round(high, _DIGITS)]
        for name, (low, high) in intervals.items()
    }
