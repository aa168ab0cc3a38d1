"""Faults in the values of rows: clocks that are off, fields that are missing, and rows of garbage.

Shapes: E events of a file, C devices, G rows of garbage, V values of a nested field.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from endcap.core.clock import DAY_US, day_start_us
from endcap.core.sampling import uniform_bits
from endcap.simulation.faults.nested import Change, FieldPath, change_field, field_type, rows_that_hold
from endcap.simulation.faults.record import CHANGES, FAULTS_STREAM, Purpose

__all__ = ["GARBAGE", "make_garbage", "miss_fields", "skew_clocks"]

_MISSING: dict[str, tuple[FieldPath, ...]] = {
    "items.price": (("items", "price"),),
    "geo.country": (("geo", "country"),),
    "device.category": (("device", "category"),),
    "user": (("user_pseudo_id",), ("user_id",)),
}
"""What is missing -> the fields that are nulled together; an event without any id of its user is of no use."""

_CLOCKS = ("off", "1970", "2000", "future")
_CLOCK_ENDS = np.cumsum([0.8, 0.08, 0.06])  # most clocks are a little off; the others lost their battery or jumped
_MOST_OFF_S = 6 * 3600
_LEAST_OFF_S = 120
_YEAR_US = 365 * DAY_US

Int64 = NDArray[np.int64]

GARBAGE: dict[str, dict[FieldPath, Any]] = {
    "event_name_unknown": {("event_name",): "view_item_v2_TEST"},
    "event_name_missing": {("event_name",): None},
    "at_missing": {("event_timestamp",): None},
    "at_in_seconds": {("event_timestamp",): 1_767_225_600},
    "quantity_negative": {("items", "quantity"): -1},
    "quantity_absurd": {("items", "quantity"): 10**15},
    "price_no_price": {("items", "price"): "free"},
    "items_empty": {("event_name",): "view_item", ("items",): [], ("event_params",): []},
}
"""Kind of garbage -> field -> what stands in it. Text in a field of numbers stands as -1 there."""


def miss_fields(table: pa.Table, share: float, rng: np.random.Generator) -> tuple[pa.Table, pa.Table]:
    """Null a field of some events; an event that has nothing in its field stays as it is.

    Args:
        table: E events.
        share: Of the events, 0..1.
        rng: The stream of this purpose and file.

    Returns:
        The events, and what was done as CHANGES.
    """
    is_drawn = rng.random(table.num_rows) < share
    kind = rng.integers(0, len(_MISSING), table.num_rows)
    done = []
    for number, (what, paths) in enumerate(_MISSING.items()):
        holds = np.logical_or.reduce([rows_that_hold(table, path) for path in paths])
        is_hit = is_drawn & (kind == number) & holds
        for path in paths:
            if field_type(table.schema, path) is not None:
                table = change_field(table, path, _nulled(is_hit))
        done.append(_changes("missing_fields", np.flatnonzero(is_hit), what, None))
    return table, pa.concat_tables(done)


def skew_clocks(table: pa.Table, share: float, seed: int, first_day: str) -> tuple[pa.Table, pa.Table]:
    """Put the clocks of some devices wrong by a constant each, on all days and in all files the same.

    Args:
        table: E events.
        share: Of the devices, 0..1.
        seed: Of the run.
        first_day: First day of the log: clocks that lost their battery began again on it.

    Returns:
        The events, and what was done as CHANGES.
    """
    devices = table.column("user_pseudo_id").combine_chunks().dictionary_encode()
    shift_C, clock_C = _clocks(devices.dictionary.to_pylist(), share, seed, first_day)
    of = devices.indices.fill_null(len(shift_C)).to_numpy()
    shift_us, clock = np.append(shift_C, 0)[of], np.append(clock_C, 0)[of]
    instants = pc.add(table.column("event_timestamp").combine_chunks(), pa.array(shift_us))
    place = table.schema.get_field_index("event_timestamp")
    skewed = table.set_column(place, table.schema.field(place), instants)
    done = []
    for number, what in enumerate(_CLOCKS):
        rows = np.flatnonzero((shift_us != 0) & (clock == number))
        done.append(_changes("clock_skew", rows, what, shift_us[rows]))
    return skewed, pa.concat_tables(done)


def _clocks(devices: Sequence[str], share: float, seed: int, first_day: str) -> tuple[Int64, Int64]:
    """Return by how much the clock of each of C devices is ahead, microseconds, 0 if it is right, and its kind.

    Drawn by the device's own name, so that neither the files nor their order matter.
    """
    names = [int.from_bytes(hashlib.blake2b(device.encode(), digest_size=8).digest(), "big") for device in devices]
    own_seed = int(np.random.SeedSequence([seed, FAULTS_STREAM, Purpose.CLOCK_SKEW]).generate_state(1, np.uint64)[0])
    bits_C4 = uniform_bits(np.array(names, np.uint64), 4, seed=own_seed)
    drawn, kind, size, side = (bits_C4 / 2.0**64).T
    clock_C = np.searchsorted(_CLOCK_ENDS, kind, side="right")
    off_s = np.rint(_LEAST_OFF_S * (_MOST_OFF_S / _LEAST_OFF_S) ** size).astype(np.int64)
    into_day_us = np.rint(size * 86_400).astype(np.int64) * 1_000_000
    first_us = day_start_us(first_day)
    shifts = [
        np.where(side < 0.5, -off_s, off_s) * 1_000_000,
        into_day_us - first_us,
        into_day_us - first_us + day_start_us("2000-01-01"),
        into_day_us + (10 + np.rint(20 * side).astype(np.int64)) * _YEAR_US,
    ]
    return np.where(drawn < share, np.choose(clock_C, shifts), 0), clock_C


def make_garbage(donors: pa.Table, number: int, rng: np.random.Generator) -> tuple[pa.Table, list[str]]:
    """Make rows that no shop can have meant, each of the copy of an event.

    Args:
        donors: E events as they stand in the file, of its schema.
        number: G, how many; none if no event has an item, as most garbage is in items.
        rng: The stream of this purpose and file.

    Returns:
        G rows of garbage, and which of GARBAGE each is.
    """
    with_items = np.flatnonzero(rows_that_hold(donors, ("items", "item_id")))
    donor_G = rng.choice(with_items, number if len(with_items) else 0)
    kind_G = rng.integers(0, len(GARBAGE), len(donor_G))
    made = donors.take(donor_G)
    for place, garble in enumerate(GARBAGE.values()):
        for path, value in garble.items():
            if field_type(made.schema, path) is not None:
                made = change_field(made, path, _set(kind_G == place, value))
    names = list(GARBAGE)
    return made, [names[kind] for kind in kind_G.tolist()]


def _set(is_hit: NDArray[np.bool_], value: Any) -> Change:
    """Return the change that puts a value into the fields of the rows that are hit."""

    def change(values: Any, row_V: Int64) -> Any:
        fits = -1 if isinstance(value, str) and not pa.types.is_string(values.type) else value
        written = str(fits) if pa.types.is_string(values.type) and fits is not None else fits
        return pc.if_else(pa.array(is_hit[row_V]), pa.scalar(written, values.type), values)

    return change


def _nulled(is_hit: NDArray[np.bool_]) -> Change:
    return _set(is_hit, None)


def _changes(fault: str, row: Int64, what: str, shift_us: Int64 | None) -> pa.Table:
    shifts = pa.nulls(len(row), pa.int64()) if shift_us is None else pa.array(shift_us)
    columns = [pa.array(row), pa.array([fault] * len(row)), pa.array([what] * len(row)), shifts]
    return pa.table(columns, schema=CHANGES)
