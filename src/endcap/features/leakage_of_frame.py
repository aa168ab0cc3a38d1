"""The leakage firewall of any training frame: leaks that can be seen without knowing how its columns were made.

What is here is exact: copies, instants and sums either are there or not. `leakage_of_columns` has what chance could do.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from endcap.core.sampling import mix
from endcap.features.findings import LEAKS, Finding, LeakageReport, in_order
from endcap.features.leakage_frame import Feature, Frame, FrameRoles, found_in_rows, read_frame
from endcap.features.leakage_of_columns import FALSE_ALARM, leaks_of_columns
from endcap.features.leakage_of_groups import leaks_of_groups

__all__ = ["FRAME_LEAKS", "find_leaks_of_frame"]

_FIRST = "instant-after-the-example"

FRAME_LEAKS = tuple(LEAKS)[tuple(LEAKS).index(_FIRST) :]
"""Names of the leaks that are looked for in a frame."""

_LEAST_ROWS = 30
_EXACT = 1e-6
_MARKS = 2
"""Columns that must name a row by themselves before two equal rows are called copies. 2: one may be an accident of
coarse instants."""

Bools = NDArray[np.bool_]


def find_leaks_of_frame(table: pa.Table, roles: FrameRoles, *, later: pa.Table | None = None) -> LeakageReport:
    """Look for leaks in a frame that models are trained on.

    Args:
        table: The frame, one row an example.
        roles: What its label, instant, id and split are; the less is told, the less can be asked.
        later: The same rows as they are made today, when more data has come.

    Returns:
        Findings, what could not be asked, and the rate of false alarms.

    Raises:
        DataError: A column is not there or is no time; there is one label only, or nothing on one side of the split.
    """
    frame = read_frame(table, roles)
    by_chance, too_few = leaks_of_columns(frame)
    found = [
        *_after_the_example(frame),
        *_on_both_sides(frame),
        *_trained_on_the_future(frame),
        *_labels_past_the_split(frame, roles),
        *leaks_of_groups(frame, id_name=roles.id),
        *_scaled_with_the_test(frame),
        *(_changed(frame, read_frame(later, replace(roles, split="")), roles) if later is not None else ()),
        *by_chance,
    ]
    return LeakageReport(
        findings=in_order(found),
        checks=FRAME_LEAKS,
        num_rows=len(frame),
        left_out=(*_left_out(frame, roles, later), *too_few),
        notes=(f"at most {FALSE_ALARM:g} of clean frames show a finding by chance, all columns together",),
    )


def _left_out(frame: Frame, roles: FrameRoles, later: pa.Table | None) -> Iterator[str]:
    """Say what could not be asked."""
    if not roles.at:
        yield "what needs instants: name their column with --at"
    if not roles.id:
        yield "what needs ids: name their column with --id"
    if not roles.split:
        yield "what needs a split: name a column of train and test, or the first day of the test, with --split"
    if not roles.known_at:
        yield "whether labels reach past the split: name the column of when a label was known with --known-at"
    if later is None:
        yield "whether values change with the future: give the same rows as made today with --later"
    if frame.unread:
        yield f"columns of kinds that are not looked at: {', '.join(frame.unread)}"


def _after_the_example(frame: Frame) -> Iterator[Finding]:
    if frame.at_us is None:
        return
    for name, feature in frame.features.items():
        if feature.instants is not None:
            late = feature.instants > frame.at_us
            if late.any():
                after_s = int((feature.instants - frame.at_us)[late].max()) / 1e6
                yield found_in_rows("instant-after-the-example", name, late, f"up to {after_s:,.0f} s later")


def _on_both_sides(frame: Frame) -> Iterator[Finding]:
    """Rows that are equal but for their ids. Two columns or more must hold values that no other row has."""
    if frame.is_test is None:
        return
    columns = [feature.codes for feature in frame.features.values()]
    if frame.at_us is not None:
        columns.append(np.unique(frame.at_us, return_inverse=True)[1].astype(np.int64))
    columns.append(frame.is_positive.astype(np.int64))
    named = np.zeros(len(frame), np.uint64)
    for codes in columns:
        with np.errstate(over="ignore"):
            named = mix(named ^ mix(codes.astype(np.uint64)))
    _, row_class, size = np.unique(named, return_inverse=True, return_counts=True)
    tests = np.bincount(row_class, weights=frame.is_test, minlength=len(size))
    crosses = ((tests > 0) & (tests < size))[row_class]
    marks = np.zeros(len(frame), np.int64)
    for codes in columns:
        present = codes >= 0
        num = np.bincount(codes[present], minlength=1)
        marks[present] += num[codes[present]] == size[row_class[present]]
    copies = crosses & (marks >= _MARKS) & frame.is_test
    if copies.any():
        yield found_in_rows("row-on-both-sides", "all columns", copies, "a training row is equal to it but for the id")


def _trained_on_the_future(frame: Frame) -> Iterator[Finding]:
    if frame.id is None or frame.at_us is None or frame.is_test is None:
        return
    has_id = frame.id.codes >= 0
    first_test_us = np.full(int(frame.id.codes.max(initial=0)) + 1, np.iinfo(np.int64).max)
    asked = frame.is_test & has_id
    np.minimum.at(first_test_us, frame.id.codes[asked], frame.at_us[asked])
    late = has_id & ~frame.is_test & (frame.at_us > first_test_us[frame.id.codes])
    if late.any():
        yield found_in_rows(
            "trained-on-the-future-of-a-test-row", "split", late, "a test row of the same id is earlier"
        )


def _labels_past_the_split(frame: Frame, roles: FrameRoles) -> Iterator[Finding]:
    if frame.known_us is None or frame.at_us is None or frame.is_test is None:
        return
    begins_us = frame.at_us[frame.is_test].min()
    early = ~frame.is_test & (frame.at_us < begins_us)
    late = early & (frame.known_us > begins_us)
    # Where most of the training comes after the test's beginning, the split is none in time.
    if late.any() and 2 * early.sum() >= (~frame.is_test).sum():
        after_s = int(frame.known_us[late].max() - begins_us) / 1e6
        detail = f"the test begins up to {after_s:,.0f} s before the label was known"
        yield found_in_rows("label-reaches-past-the-split", roles.known_at, late, detail)


def _scaled_with_the_test(frame: Frame) -> Iterator[Finding]:
    """Columns whose mean and deviation, or ranks, are those of all rows and not of the training rows."""
    if frame.is_test is None:
        return
    for name, feature in frame.features.items():
        known = ~feature.is_missing
        values, training = feature.values[known], feature.values[known & ~frame.is_test]
        if feature.is_text or feature.instants is not None or len(training) < _LEAST_ROWS:
            continue
        if (_is_standard(values) and not _is_standard(training)) or _is_ranked(values):
            seen = "mean 0 and deviation 1 over" if _is_standard(values) else "the ranks of"
            yield found_in_rows("scaled-with-the-test", name, known, f"it has {seen} training and test together")


def _is_standard(values: NDArray[np.float64]) -> bool:
    is_centred = abs(values.mean()) < _EXACT
    return bool(is_centred and any(abs(values.std(ddof=lost) - 1) < _EXACT for lost in (0, 1)))


def _is_ranked(values: NDArray[np.float64]) -> bool:
    """Whether values are the even steps from 0 or from 1/n to 1."""
    ordered, num = np.sort(values), len(values)
    steps = (np.arange(num) / (num - 1), np.arange(1, num + 1) / num)
    return any(bool(np.allclose(ordered, each, atol=1e-9)) for each in steps)


def _changed(frame: Frame, later: Frame, roles: FrameRoles) -> Iterator[Finding]:
    """Rows that are in both frames, and have another value in the later one."""
    if not roles.id:
        return
    mine, theirs = _shared_rows(frame, later)
    for name, feature in frame.features.items():
        other = later.features.get(name)
        if other is None or feature.is_text != other.is_text:
            continue
        differs = _differ(feature, mine, other, theirs)
        if differs.any():
            changed = np.zeros(len(frame), bool)
            changed[mine[differs]] = True
            found = found_in_rows("value-changes-with-the-future", name, changed, "the later frame has another value")
            yield replace(found, of_rows=len(mine))


def _differ(feature: Feature, mine: NDArray[np.int64], other: Feature, theirs: NDArray[np.int64]) -> Bools:
    """Return which of the shared rows have different values."""
    if feature.is_text:
        then, now = feature.keys, other.keys
        return np.array([then[a] != now[b] for a, b in zip(mine, theirs, strict=True)], bool)
    old, new = feature.values[mine], other.values[theirs]
    return np.asarray(~(np.isclose(old, new, rtol=1e-9, atol=1e-12) | (np.isnan(old) & np.isnan(new))), bool)


def _shared_rows(frame: Frame, later: Frame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of both frames that have the same id and instant; what several rows share is left out."""

    def keys(each: Frame) -> dict[tuple[object, int], int]:
        assert each.id is not None
        at_us = each.at_us if each.at_us is not None else np.zeros(len(each), np.int64)
        named: dict[tuple[object, int], int] = {}
        for row, key in enumerate(zip(each.id.keys, at_us.tolist(), strict=True)):
            named[key] = -1 if key in named else row
        return {key: row for key, row in named.items() if row >= 0}

    mine, theirs = keys(frame), keys(later)
    shared = [key for key in mine if key in theirs]
    return np.array([mine[key] for key in shared], np.int64), np.array([theirs[key] for key in shared], np.int64)
