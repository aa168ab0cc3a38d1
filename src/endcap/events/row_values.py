"""Values as database drivers give them: as Arrow columns, and as one text each, by which rows are compared."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

__all__ = ["as_arrow", "plain_text", "row_digest"]

_INT64 = 2**63
_EXACT_FLOAT = 2**53
_DIGITS = 38  # of Arrow's decimals


def as_arrow(columns: Sequence[str], rows: Sequence[Sequence[Any]], earlier: Mapping[str, pa.DataType]) -> pa.Table:
    """Return rows as a table, each column of the narrowest type that holds all its values.

    Integers, floats, decimals, text, booleans, dates, wall-clock times and instants (in UTC) keep their kind. What is
    of several kinds or of another one becomes text. Of every value `plain_text` is the same before and after.

    Args:
        columns: Names of the columns.
        rows: The values; None where one is missing.
        earlier: Types that columns had in an earlier table: a column without any value keeps the one it had.
    """
    arrays = [
        _array([row[place] for row in rows], earlier.get(name, pa.string())) for place, name in enumerate(columns)
    ]
    return pa.table(dict(zip(columns, arrays, strict=True)))


def row_digest(columns: Sequence[str], row: Sequence[Any]) -> bytes:
    """Return the digest of a row, 16 bytes: of the names and the texts of its values; a missing value is no value.

    So a row stays the same row when the query gets another column, as long as it has no value there.

    >>> row_digest(["id", "a"], [1, None]) == row_digest(["id"], ["1"])
    True
    """
    told = sorted(
        (name, text) for name, value in zip(columns, row, strict=True) if (text := plain_text(value)) is not None
    )
    return hashlib.blake2b(json.dumps(told).encode(), digest_size=16).digest()


def plain_text(value: Any) -> str | None:
    """Return a value as text that does not depend on the type of its column; None for a missing one.

    >>> [plain_text(value) for value in (5, 5.0, Decimal("5.00"), True, b"x", {"b": 1})]
    ['5', '5', '5', 'true', '78', '{"b": 1}']
    """
    text: str | None
    match value:
        case None | str():
            text = value
        case bool():
            text = "true" if value else "false"
        case float():
            text = str(int(value)) if value.is_integer() else repr(value)
        case Decimal():
            text = _decimal_text(value)
        case datetime():
            text = (value.astimezone(UTC) if value.tzinfo else value).isoformat()
        case bytes() | bytearray() | memoryview():
            text = bytes(value).hex()
        case dict() | list():
            text = json.dumps(value, sort_keys=True, default=str)
        case _:
            text = str(value)  # a date or a time of day as ISO has it, a UUID
    return text


def _decimal_text(value: Decimal) -> str:
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _array(values: Sequence[Any], earlier: pa.DataType) -> pa.Array:
    kinds = _kinds(values)
    if not kinds:
        return pa.nulls(len(values), earlier)
    found = _type(kinds, values)
    if found is None:
        return pa.array(values if kinds == {"str"} else [plain_text(value) for value in values], pa.string())
    if pa.types.is_decimal(found):
        values = [None if value is None else Decimal(value) for value in values]
    return pa.array(values, found)


def _kinds(values: Sequence[Any]) -> set[str]:
    """Return the kinds of the values that are there. A look at their types is enough but for those of times."""
    kinds = set()
    for each in set(map(type, values)) - {type(None)}:
        if issubclass(each, datetime):
            kinds |= {"instant" if value.tzinfo else "wall" for value in values if isinstance(value, datetime)}
        else:
            known = (kind.__name__ for kind in (bool, int, float, Decimal, date, str) if issubclass(each, kind))
            kinds.add(next(known, "other"))
    return kinds


def _type(kinds: set[str], values: Sequence[Any]) -> pa.DataType | None:
    """Return the Arrow type for values of some kinds, None for text."""
    if kinds <= {"int", "Decimal", "float"}:
        return _number_type(kinds, [value for value in values if value is not None])
    simple = {
        "bool": pa.bool_(),
        "date": pa.date32(),
        "instant": pa.timestamp("us", "UTC"),
        "wall": pa.timestamp("us"),
    }
    return simple.get(next(iter(kinds))) if len(kinds) == 1 else None


def _number_type(kinds: set[str], values: Sequence[Any]) -> pa.DataType | None:
    if kinds == {"int"} and min(values) >= -_INT64 and max(values) < _INT64:
        return pa.int64()
    if kinds <= {"int", "Decimal"}:
        return _decimal([Decimal(value) for value in values])
    if kinds <= {"int", "float"}:
        exact = "int" not in kinds or all(abs(each) <= _EXACT_FLOAT for each in values if isinstance(each, int))
        return pa.float64() if exact else None
    return None


def _decimal(values: Sequence[Decimal]) -> pa.DataType | None:
    """Return the decimal type that holds all values exactly, None if there is none."""
    if not all(value.is_finite() for value in values):
        return None
    scale = max(max(0, -int(value.as_tuple().exponent)) for value in values)
    whole = max(max(0, value.adjusted() + 1) for value in values)
    return pa.decimal128(_DIGITS, scale) if whole + scale <= _DIGITS else None
