"""Does a column of a frame hold a number over all rows of a group, the later ones and their labels too?

Groups are the rows of one id, and those that share a value of any column. Only groups whose rows have different
instants say anything: what is the same for all rows of one instant may well have been known at it.

Shapes: R rows, G groups that can be judged.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.features.findings import Finding
from endcap.features.leakage_frame import Feature, Frame

__all__ = ["leaks_of_groups"]

_LEAST_GROUPS = 12
"""Groups that must agree. 12: a sum that fits as many groups of three sizes or more does not do so by accident."""

_LEAST_SIZES = 3
_LEAST_MEANS = 5
_SHARE = 0.995
"""Share of the groups, or rows, that must agree: a few may have been cut or mended after the column was made."""

_EXACT = 1e-6

Floats = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class _Groups:
    """The rows of one way to group them.

    Args:
        name: Column by which they are grouped.
        of_R: R numbers of groups, -1 for none.
        num: How many groups there are.
        judged: G numbers of groups with rows of different instants.
        in_judged: R; whether a row is in one of these.
        later: R; how many rows of the same group come later.
    """

    name: str
    of_R: Int64
    num: int
    judged: Int64
    in_judged: Bools
    later: Int64

    def sums(self, values: Floats, rows: Bools | None = None) -> Floats:
        """Return the sums over all groups, of all rows or of some."""
        chosen = self.of_R >= 0 if rows is None else rows & (self.of_R >= 0)
        return np.asarray(np.bincount(self.of_R[chosen], values[chosen], minlength=self.num), np.float64)

    def extremes(self, values: Floats) -> tuple[Floats, Floats]:
        """Return least and greatest value of all groups."""
        low, high = np.full(self.num, np.inf), np.full(self.num, -np.inf)
        chosen = self.of_R >= 0
        np.minimum.at(low, self.of_R[chosen], values[chosen])
        np.maximum.at(high, self.of_R[chosen], values[chosen])
        return low, high


def leaks_of_groups(frame: Frame, *, id_name: str) -> Iterator[Finding]:
    """Look for columns that hold sums, means or extremes over whole groups.

    Args:
        frame: The frame; without instants nothing can be said.
        id_name: Name of the column of ids.
    """
    if frame.at_us is None:
        return
    numbers = {name: each for name, each in frame.features.items() if not each.is_text and each.instants is None}
    ways = {id_name: frame.id} if frame.id is not None else {}
    told: set[str] = set()
    for by, column in {**ways, **frame.features}.items():
        groups = _groups(by, column, frame.at_us)
        if groups is None:
            continue
        for name, feature in numbers.items():
            if name == by or name in told:
                continue
            found = _judged(frame, groups, name, feature, numbers)
            if found:
                told.add(name)
                yield found


def _groups(name: str, column: Feature, at_us: Int64) -> _Groups | None:
    """Group the rows by the values of a column; None where too few groups have rows of different instants."""
    of_R, num = column.codes, int(column.codes.max(initial=-1)) + 1
    if not _LEAST_GROUPS <= num <= len(of_R) // 2:
        return None
    first, last = np.full(num, np.iinfo(np.int64).max), np.full(num, np.iinfo(np.int64).min)
    inside = of_R >= 0
    np.minimum.at(first, of_R[inside], at_us[inside])
    np.maximum.at(last, of_R[inside], at_us[inside])
    is_judged = first < last
    if is_judged.sum() < _LEAST_GROUPS:
        return None
    return _Groups(name, of_R, num, np.flatnonzero(is_judged), inside & is_judged[of_R], _later(of_R, at_us))


def _later(of_R: Int64, at_us: Int64) -> Int64:
    """Return for each row how many of its group come strictly later."""
    order = np.lexsort((at_us, of_R))
    group, instant = of_R[order], at_us[order]
    ends = np.searchsorted(group, group, side="right")
    # Rows of one group and instant: the last of them stands before the first later one.
    opens = np.concatenate([[True], (group[1:] != group[:-1]) | (instant[1:] != instant[:-1])])
    block = np.cumsum(opens) - 1
    block_ends = np.concatenate([np.flatnonzero(opens)[1:], [len(group)]])
    later = np.empty(len(of_R), np.int64)
    later[order] = ends - block_ends[block]
    return later


def _judged(frame: Frame, groups: _Groups, name: str, feature: Feature, numbers: dict[str, Feature]) -> Finding | None:
    """Compare a column with what is known of whole groups only."""
    values = feature.values
    if np.isnan(values[groups.in_judged]).any():
        return None
    low, high = groups.extremes(np.where(np.isnan(values), 0.0, values))
    is_constant = _agrees(low[groups.judged] == high[groups.judged])
    if is_constant:
        seen = _of_whole_groups(frame, groups, name, high, numbers)
    else:
        seen = _of_other_rows(frame, groups, values)
    if seen is None:
        return None
    leak, what = seen
    rows = groups.in_judged & (groups.later > 0)
    return Finding(
        name=leak,
        table="frame",
        column=name,
        rows=int(rows.sum()),
        of_rows=len(frame),
        example=f"row {int(np.flatnonzero(rows)[0])}",
        detail=f"it is {what} with the same '{groups.name}', {len(groups.judged):,} groups agree",
    )


def _agrees(each: Bools) -> bool:
    return bool(each.mean() >= _SHARE)


def _of_whole_groups(
    frame: Frame, groups: _Groups, name: str, value_of: Floats, numbers: dict[str, Feature]
) -> tuple[str, str] | None:
    """Say what a column that is the same in all rows of a group is; None for nothing that the group's rows tell."""
    value, judged = value_of[groups.judged], groups.judged
    if len(np.unique(value)) < _LEAST_SIZES:
        return None
    labels = frame.is_positive.astype(np.float64)
    parts: list[tuple[str, Bools | None]] = [("all", None)]
    if frame.is_test is not None:
        parts.append(("training", ~frame.is_test))
    for part, rows in parts:
        size, positive = groups.sums(np.ones(len(labels)), rows)[judged], groups.sums(labels, rows)[judged]
        if part == "all" and _agrees(value == size):
            return "column-aggregates-later-rows", "the number of all rows"
        if len(np.unique(positive)) >= _LEAST_SIZES and _agrees(value == positive):
            return "column-encodes-the-label", f"the number of positive labels in {part} rows"
        if _is_smoothed_mean(value, size, positive):
            return "column-encodes-the-label", f"the mean label, smoothed or not, of {part} rows"
    for other, feature in numbers.items():
        what = None if other == name else _summary(groups, feature, value)
        if what:
            return "column-aggregates-later-rows", f"the {what} of '{other}' over all rows"
    return None


def _is_smoothed_mean(value: Floats, size: Floats, positive: Floats) -> bool:
    """Whether value = (positive + m x prior) / (size + m) for some m and prior."""
    if len(np.unique(value)) < _LEAST_MEANS or len(np.unique(positive)) < _LEAST_SIZES:
        return False
    # value x size - positive is c - m x value: a straight line in value, if it is such a mean.
    wanted = value * size - positive
    line = np.stack([np.ones(len(value)), -value], axis=1)
    fitted, *_ = np.linalg.lstsq(line, wanted, rcond=None)
    return _agrees(np.abs(line @ fitted - wanted) <= _EXACT * (1.0 + np.abs(positive)))


def _summary(groups: _Groups, feature: Feature, value: Floats) -> str | None:
    """Return which number over all rows of a group, of a column that moves within groups, a value is."""
    rows = groups.in_judged
    if np.isnan(feature.values[rows]).any():
        return None
    told = np.where(np.isnan(feature.values), 0.0, feature.values)
    low, high = groups.extremes(told)
    judged = groups.judged
    if (low[judged] < high[judged]).mean() < 0.5:
        return None
    total, size = groups.sums(told)[judged], groups.sums(np.ones(len(told)))[judged]
    summaries: dict[str, Callable[[], Floats]] = {
        "sum": lambda: total,
        "mean": lambda: total / size,
        "greatest value": lambda: high[judged],
        "median": lambda: _medians(groups, told)[judged],
    }
    for what, of_groups in summaries.items():
        if _agrees(np.isclose(value, of_groups(), rtol=1e-9, atol=1e-9)):
            return what
    return None


def _medians(groups: _Groups, values: Floats) -> Floats:
    """Return the median of each group."""
    order = np.lexsort((values, groups.of_R))
    of_R, ordered = groups.of_R[order], values[order]
    starts = np.searchsorted(of_R, np.arange(groups.num), side="left")
    ends = np.searchsorted(of_R, np.arange(groups.num), side="right")
    size = np.maximum(ends - starts, 1)
    return np.asarray((ordered[starts + (size - 1) // 2] + ordered[starts + size // 2]) / 2, np.float64)


def _of_other_rows(frame: Frame, groups: _Groups, values: Floats) -> tuple[str, str] | None:
    """Say what a column that moves within groups is: rows still to come, or the mean label of the other rows."""
    rows, of_R = groups.in_judged, groups.of_R
    if len(np.unique(groups.later[rows])) >= _LEAST_SIZES and _agrees(values[rows] == groups.later[rows]):
        return "column-aggregates-later-rows", "the number of later rows"
    labels = frame.is_positive.astype(np.float64)
    others = groups.sums(np.ones(len(labels)))[of_R[rows]] - 1
    positive = groups.sums(labels)[of_R[rows]] - labels[rows]
    if len(np.unique(positive)) >= _LEAST_SIZES and _agrees(np.isclose(values[rows] * others, positive, atol=_EXACT)):
        return "column-encodes-the-label", "the mean label of all other rows"
    return None
