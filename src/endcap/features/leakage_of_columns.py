"""Does one column of a frame alone tell the label? What the past cannot know is told from what chance can do.

A column *tells* the label when it puts more than 19 of 20 pairs of a positive and a negative example in order. The rule
is learned on one half of the ids and judged on the other, on pairs that share no id, so each pair is an independent
trial and the number of wrong pairs is binomial: a column that is right in 19 of 20 pairs or fewer is reported in at
most FALSE_ALARM of all frames, whatever it looks like. A label that the same id's last label tells is no finding.

Shapes: R rows, B bins.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.core.sampling import mix
from endcap.features.findings import Finding
from endcap.features.leakage_frame import Frame, found_in_rows
from endcap.metrics.chance import binomial_at_most

__all__ = ["FALSE_ALARM", "LEAST_WRONG", "leaks_of_columns"]

FALSE_ALARM = 1e-3
"""Share of clean frames in which any column is taken for one that tells the label: one in a thousand."""

LEAST_WRONG = 0.05
"""Share of pairs that a clean column gets wrong at least. .05: good features of shops order 4 of 5 pairs; 19 of 20 is
what only the outcome itself does."""

_NUM_BINS = 64
_LEAST_CLOCK = 50
_UNIQUE = 0.9
_DISORDER = 0.01

Floats = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class _Halves:
    """How the rows are parted for judging.

    Args:
        to_learn: R; rows that rules are learned from, the others are judged.
        rank: R numbers by which rows are drawn.
        unit: R numbers of what must not be in two pairs: ids, else rows.
        is_positive: R labels.
    """

    to_learn: Bools
    rank: NDArray[np.uint64]
    unit: Int64
    is_positive: Bools


def leaks_of_columns(frame: Frame) -> tuple[list[Finding], tuple[str, ...]]:
    """Look for columns that tell the label, and for ones that tell the time.

    Args:
        frame: The frame.

    Returns:
        Findings, and what could not be asked because there are too few examples.
    """
    halves = _halves(frame)
    asked = 2 * len(frame.features) + 2
    level = FALSE_ALARM / asked
    pairs = len(_pairs(halves, np.zeros(len(frame))))
    least = int(np.ceil(np.log(level) / np.log1p(-LEAST_WRONG)))
    left_out: tuple[str, ...] = ()
    if pairs < least:
        left_out = (f"whether a column tells the label: {pairs:,} pairs of examples, {least:,} are needed",)
    found = [*_by_missing_values(frame, halves, level), *_clocks(frame)]
    if pairs < least or (_of_last_label(frame, halves) <= level):
        return found, left_out
    emptied = {finding.column for finding in found if finding.name == "missingness-tells-the-label"}
    for name, feature in frame.features.items():
        if name not in emptied:
            found += _telling("column-tells-the-label", name, _binned(feature.values, feature.codes), halves, level)
    if frame.id is not None:
        found += _telling("id-tells-the-label", "id", _quantiles(frame.id.values), halves, level)
    found += _telling(
        "row-order-tells-the-label", "row order", _quantiles(np.arange(len(frame), dtype=np.float64)), halves, level
    )
    return found, left_out


def _halves(frame: Frame) -> _Halves:
    """Part the rows by a hash of their ids, rows without one by a hash of their place."""
    place = np.arange(len(frame), dtype=np.int64)
    unit = place if frame.id is None else np.where(frame.id.codes >= 0, frame.id.codes, -1 - place)
    named = mix(unit.astype(np.uint64))
    return _Halves(
        (named >> np.uint64(32)) % np.uint64(2) == 0, mix(named + place.astype(np.uint64)), unit, frame.is_positive
    )


def _telling(leak: str, column: str, bins: Int64, halves: _Halves, level: float) -> list[Finding]:
    """Return a finding where a column tells the label."""
    wins = _pairs(halves, _rates(bins, halves))
    wrong = int((~wins).sum())
    if binomial_at_most(wrong, trials=len(wins), p=LEAST_WRONG) > level:
        return []
    detail = f"it puts {len(wins) - wrong:,} of {len(wins):,} pairs of a positive and a negative row in order"
    return [found_in_rows(leak, column, bins >= 0, detail)]


def _rates(bins: Int64, halves: _Halves) -> Floats:
    """Return for each row the share of positives in its bin, as learned from the one half."""
    shifted = bins + 1  # missing values are a bin of their own
    num = np.bincount(shifted[halves.to_learn], minlength=int(shifted.max()) + 1)
    positive = np.bincount(
        shifted[halves.to_learn], weights=halves.is_positive[halves.to_learn], minlength=int(shifted.max()) + 1
    )
    base = halves.is_positive[halves.to_learn].mean() if halves.to_learn.any() else 0.0
    return np.asarray(((positive + base) / (num + 1))[shifted], np.float64)


def _pairs(halves: _Halves, score: Floats, among: Bools | None = None) -> Bools:
    """Return for pairs of a positive and a negative row whether the positive one scores higher.

    Pairs are of the half that is judged, of some of its rows if `among` says which; no id is in two pairs.
    """
    rows = np.flatnonzero(~halves.to_learn if among is None else ~halves.to_learn & among)
    # One row of each id: a positive one if it has any, by the order of ranks.
    order = rows[np.lexsort((halves.rank[rows], ~halves.is_positive[rows], halves.unit[rows]))]
    one = order[np.concatenate([[True], halves.unit[order][1:] != halves.unit[order][:-1]])] if len(order) else order
    one = one[np.argsort(halves.rank[one])]
    positive, negative = one[halves.is_positive[one]], one[~halves.is_positive[one]]
    num = min(len(positive), len(negative))
    return np.asarray(score[positive[:num]] > score[negative[:num]], bool)


def _binned(values: Floats, codes: Int64) -> Int64:
    """Return bins: the values themselves where they are few, else as many quantiles; -1 where missing."""
    if codes.max(initial=0) < 4 * _NUM_BINS:
        return codes
    return _quantiles(values)


def _quantiles(values: Floats) -> Int64:
    known = ~np.isnan(values)
    bins = np.full(len(values), -1, np.int64)
    if known.any():
        edges = np.unique(np.quantile(values[known], np.linspace(0, 1, _NUM_BINS + 1)[1:-1]))
        bins[known] = np.searchsorted(edges, values[known], side="right")
    return bins


def _by_missing_values(frame: Frame, halves: _Halves, level: float) -> Iterator[Finding]:
    """Columns that are filled, or missing, only where the label is the rarer one."""
    rare = halves.is_positive if halves.is_positive.mean() <= 0.5 else ~halves.is_positive
    one = _one_of_each(halves)
    for name, feature in frame.features.items():
        is_missing = feature.is_missing
        if not is_missing.any() or is_missing.all():
            continue
        for word, rows in (("filled", ~is_missing), ("missing", is_missing)):
            asked = rows & one
            other = int((asked & ~rare).sum())
            least = LEAST_WRONG * float((~rare[one]).mean())
            if asked.any() and binomial_at_most(other, trials=int(asked.sum()), p=least) <= level:
                side = "positive" if rare is halves.is_positive else "negative"
                detail = f"{int((rows & rare).sum()):,} of the {int(rows.sum()):,} rows where it is {word} are {side}"
                yield found_in_rows("missingness-tells-the-label", name, rows, detail)
                break


def _one_of_each(halves: _Halves) -> Bools:
    """Return one row of each id, whichever has the least rank."""
    order = np.lexsort((halves.rank, halves.unit))
    first = np.concatenate([[True], halves.unit[order][1:] != halves.unit[order][:-1]])
    chosen = np.zeros(len(order), bool)
    chosen[order[first]] = True
    return chosen


def _of_last_label(frame: Frame, halves: _Halves) -> float:
    """Return how likely chance is to have an id's last label tell the label as well as it does, where there is one."""
    if frame.id is None or frame.at_us is None:
        return 1.0
    order = np.lexsort((frame.at_us, halves.unit))
    same = halves.unit[order][1:] == halves.unit[order][:-1]
    earlier = frame.at_us[order][1:] > frame.at_us[order][:-1]
    last = np.full(len(frame), -1, np.int64)
    last[order[1:]] = np.where(same & earlier, halves.is_positive[order][:-1], -1)
    wins = _pairs(halves, _rates(last, halves), last >= 0)
    return binomial_at_most(int((~wins).sum()), trials=len(wins), p=LEAST_WRONG)


def _clocks(frame: Frame) -> Iterator[Finding]:
    """Running numbers: unlike in nearly all rows, and growing with the examples' instants."""
    if frame.at_us is None:
        return
    for name, feature in frame.features.items():
        known = np.flatnonzero(~feature.is_missing)
        if feature.is_text or feature.instants is not None or len(known) < _LEAST_CLOCK:
            continue
        values, at_us = feature.values[known], frame.at_us[known]
        if min(len(np.unique(values)), len(np.unique(at_us))) < _UNIQUE * len(known):
            continue
        falls = np.diff(values[np.lexsort((values, at_us))]) < 0
        if min(falls.mean(), 1 - falls.mean()) <= _DISORDER:
            yield found_in_rows(
                "column-is-a-clock", name, ~feature.is_missing, f"it grows with time in {len(known):,} rows"
            )
