"""A training frame as it is looked at for leaks: what each column is, whatever made it. R rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from endcap.core.clock import DAY_US, instant_of
from endcap.core.errors import Code, DataError, near
from endcap.features.findings import Finding

__all__ = ["Feature", "Frame", "FrameRoles", "found_in_rows", "read_frame"]

Floats = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

_TRAINING = {"train", "training", "learn", "fit", "0", "false", "0.0"}
_EPOCH_UNITS_US = ((100_000_000_000_000, 1), (100_000_000_000, 1_000), (100_000_000, 1_000_000))
_NEAR_US = 3_650 * DAY_US
"""A whole number is an instant when all of them lie this near to the examples' own: ten years."""


@dataclass(frozen=True)
class FrameRoles:
    """What some columns of a frame are for. Empty for none.

    Args:
        label: Column of what is to be predicted.
        at: Column of the instant at which an example is asked.
        id: Column of what several rows may belong to: a session, a user, an order.
        split: Column that says which rows are for training, or the first day or instant of the test.
        known_at: Column of the instant at which a row's label was known.
    """

    label: str
    at: str = ""
    id: str = ""
    split: str = ""
    known_at: str = ""


@dataclass(frozen=True)
class Feature:
    """One column that a model may learn from.

    Args:
        values: R numbers, NaN where missing; for texts the place of each in their order.
        codes: R numbers of the different values, -1 where missing.
        is_text: Whether the values are names.
        instants: R instants, microseconds UTC, where the column holds instants; missing ones are the least integer.
        names: The different texts in the order of their codes; None for numbers.
    """

    values: Floats
    codes: Int64
    is_text: bool
    instants: Int64 | None = None
    names: NDArray[np.object_] | None = None

    @property
    def keys(self) -> list[Any]:
        """R values as they can be compared with those of another frame, None where missing."""
        if self.names is None:
            return [None if np.isnan(value) else value for value in self.values.tolist()]
        return [None if code < 0 else self.names[code] for code in self.codes.tolist()]

    @property
    def is_missing(self) -> Bools:
        """R; whether the value is missing."""
        return np.asarray(self.codes < 0, bool)


@dataclass(frozen=True)
class Frame:
    """A frame with its roles told apart.

    Args:
        features: Columns that a model may learn from, by name.
        is_positive: R; the label, or whether it is above its median where it has more than two values.
        at_us: R instants of the examples, None without a column of them.
        id: The column of ids, None without one.
        is_test: R; whether a row is for the test, None without a split.
        known_us: R instants at which labels were known, None without a column of them.
        unread: Columns of kinds that are not looked at.
    """

    features: dict[str, Feature]
    is_positive: Bools
    at_us: Int64 | None = None
    id: Feature | None = None
    is_test: Bools | None = None
    known_us: Int64 | None = None
    unread: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.is_positive)


def read_frame(table: pa.Table, roles: FrameRoles) -> Frame:
    """Tell the columns of a frame apart.

    Args:
        table: The frame.
        roles: What some of its columns are for.

    Raises:
        DataError: A column is not there, is no time, or the split leaves nothing on one side.
    """
    for name in (roles.label, roles.at, roles.id, roles.known_at):
        if name and name not in table.column_names:
            raise DataError(
                f"the frame has no column '{name}'; {near(name, table.column_names)}",
                fix="name the columns with --label, --at, --id, --split and --known-at",
                code=Code.INTERACTIONS_COLUMN,
            )
    at_us, unit_us = _instants(table, roles.at) if roles.at else (None, 0)
    known_us = _instants(table, roles.known_at)[0] if roles.known_at else None
    others = [name for name in table.column_names if name not in {*vars(roles).values()}]
    read = {name: _feature(table[name], at_us, unit_us) for name in others}
    identity = _feature(table[roles.id], None, 0) if roles.id else None
    return Frame(
        features={name: each for name, each in read.items() if each is not None},
        is_positive=_labels(table, roles.label),
        at_us=at_us,
        id=identity,
        is_test=_test_rows(table, roles.split, at_us) if roles.split else None,
        known_us=known_us,
        unread=tuple(name for name, each in read.items() if each is None),
    )


def found_in_rows(name: str, column: str, rows: Bools, detail: str) -> Finding:
    """Tell a leak of a frame by the rows that show it; the example is a place in the file, as an id may name a person.

    Args:
        name: A key of LEAKS.
        column: The column.
        rows: R flags, at least one of them set.
        detail: What is seen in these rows.
    """
    return Finding(
        name=name,
        table="frame",
        column=column,
        rows=int(rows.sum()),
        of_rows=len(rows),
        example=f"row {int(np.flatnonzero(rows)[0])}",
        detail=detail,
    )


def _plain(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    whole = whole if isinstance(whole, pa.Array) else pa.concat_arrays(column.chunks)
    return whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole


def _feature(column: pa.ChunkedArray, at_us: Int64 | None, unit_us: int) -> Feature | None:
    """Read one column; None for a kind that is not looked at."""
    whole = _plain(column)
    kind = whole.type
    if pa.types.is_date(kind):
        whole = whole.cast(pa.timestamp("us"))
    if pa.types.is_timestamp(whole.type):
        stamps = np.asarray(pc.fill_null(whole.cast(pa.timestamp("us", tz=whole.type.tz), safe=False).cast(pa.int64()),
                                         np.iinfo(np.int64).min), np.int64)  # fmt: skip
        known = stamps != np.iinfo(np.int64).min
        return _numbers(np.where(known, stamps.astype(np.float64), np.nan), stamps)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _texts(whole)
    if (
        pa.types.is_boolean(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
    ):
        numbers = np.asarray(pc.fill_null(whole.cast(pa.float64()), np.nan), np.float64)
        is_whole = pa.types.is_integer(kind)
        return _numbers(numbers, _as_instants(whole, numbers, at_us, unit_us) if is_whole else None)
    return None


def _numbers(values: Floats, instants: Int64 | None) -> Feature:
    is_known = ~np.isnan(values)
    codes = np.full(len(values), -1, np.int64)
    codes[is_known] = np.unique(values[is_known], return_inverse=True)[1]
    return Feature(values, codes, is_text=False, instants=instants)


def _texts(whole: pa.Array) -> Feature:
    """Number texts in their order; an empty text is a missing one."""
    encoded: Any = whole.cast(pa.string()).dictionary_encode()
    names = np.array(encoded.dictionary.to_pylist(), dtype=object)
    rank = np.empty(len(names), np.int64)
    rank[np.argsort(names.astype(str), kind="stable")] = np.arange(len(names))
    index = np.asarray(pc.fill_null(encoded.indices, -1), np.int64)
    codes = np.where(index >= 0, rank[index] if len(rank) else -1, -1)
    if "" in names:
        codes = np.where(codes == rank[list(names).index("")], -1, codes)
    ordered = names[np.argsort(names.astype(str), kind="stable")]
    return Feature(np.where(codes >= 0, codes.astype(np.float64), np.nan), codes, is_text=True, names=ordered)


def _as_instants(whole: pa.Array, numbers: Floats, at_us: Int64 | None, unit_us: int) -> Int64 | None:
    """Return whole numbers as instants where they can be nothing else: in the unit of the examples', and near them."""
    known = numbers[~np.isnan(numbers)]
    if at_us is None or not unit_us or not len(known):
        return None
    low, high = at_us.min() - _NEAR_US, at_us.max() + _NEAR_US
    if known.min() * unit_us < low or known.max() * unit_us > high:
        return None
    least = np.iinfo(np.int64).min
    told = np.asarray(pc.fill_null(whole.cast(pa.int64()), least), np.int64)
    return np.where(told == least, least, told * np.where(told == least, 1, unit_us))


def _instants(table: pa.Table, name: str) -> tuple[Int64, int]:
    """Return a column's instants, and how many microseconds one step of it has; 0 where it is an order only."""
    whole = _plain(table[name])
    try:
        if pa.types.is_string(whole.type) or pa.types.is_date(whole.type):
            whole = whole.cast(pa.timestamp("us"))
        if pa.types.is_timestamp(whole.type):
            whole = whole.cast(pa.timestamp("us", tz=whole.type.tz), safe=False).cast(pa.int64())
            unit_us = 1
        else:
            whole = whole.cast(pa.int64())
            latest = pc.max(whole).as_py() or 0
            unit_us = next((unit for least, unit in _EPOCH_UNITS_US if latest >= least), 0)
    except pa.ArrowException as error:
        raise _no_time(name, str(error).splitlines()[0]) from error
    if whole.null_count:
        raise _no_time(name, f"{whole.null_count:,} of {len(whole):,} rows have none")
    return np.asarray(whole, np.int64) * max(unit_us, 1), unit_us


def _no_time(name: str, why: str) -> DataError:
    return DataError(
        f"the column '{name}' is no time: {why}",
        fix="give every row a timestamp, a date, or an integer that grows with time",
        code=Code.INTERACTIONS_COLUMN,
    )


def _labels(table: pa.Table, name: str) -> Bools:
    """Return a label of two values as its greater one, another one as what is above its median."""
    column = _feature(table[name], None, 0)
    if column is None or column.is_missing.any() or len(np.unique(column.codes)) < 2:
        raise DataError(
            f"the label '{name}' does not have a value in every row, or it is the same in all of {len(table):,} rows",
            fix="name the column to predict with --label; leave out rows without one",
            code=Code.SPLIT_EMPTY,
        )
    middle = np.median(column.values)
    top = column.values > middle
    return np.asarray(top if top.any() and len(np.unique(column.codes)) > 2 else column.codes == column.codes.max())


def _test_rows(table: pa.Table, split: str, at_us: Int64 | None) -> Bools:
    """Return which rows are for the test."""
    if split in table.column_names:
        told = [str(value).lower() for value in table[split].to_pylist()]
        is_test = np.array([value not in _TRAINING for value in told], bool)
    else:
        if at_us is None:
            raise DataError(
                f"the frame has no column '{split}', and without instants a day says nothing",
                fix="name the column of instants with --at, or the column of parts with --split",
                code=Code.INTERACTIONS_COLUMN,
            )
        try:
            is_test = np.asarray(at_us >= instant_of(split), bool)
        except ValueError as error:
            raise DataError(
                f"'{split}' is neither a column nor a day; {near(split, table.column_names)}",
                fix="write --split 2016-09-15, or name a column of train and test",
                code=Code.INTERACTIONS_COLUMN,
            ) from error
    if is_test.all() or not is_test.any():
        raise DataError(
            f"the split {split} leaves {int(is_test.sum()):,} of {len(table):,} rows to the test",
            fix="name the training rows `train`, or split within the frame's time",
            code=Code.SPLIT_EMPTY,
        )
    return is_test
