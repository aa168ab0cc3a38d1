"""What can go wrong between a shop and its export, and how a user asks for it: `--faults duplicates late=0.05`.

Faults are a pass of their own over the clean log (`break_log`), with a record by which each is undone (`mend_log`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from endcap.core.errors import Code, UsageError, near

__all__ = ["FAULTS", "Faults", "parse_faults"]

_SHARES = {"duplicates": 0.01, "late": 0.02, "clock_skew": 0.02, "missing_fields": 0.02, "malformed": 0.005}
"""Share where a user names none: what a shop meets in an ordinary month."""

_FIX = "write --faults all, or names such as --faults duplicates late=0.05 out_of_order missing_day=2026-01-09"


@dataclass(frozen=True)
class Faults:
    """Which faults a log gets; none by default.

    Args:
        duplicates: Share of the events, 0..1, that are delivered once more, most of them in the same file and some in
            the next day's.
        late: Share of the events, 0..1, that come 1 to 3 days late, in the file of that day; on the last day at latest.
        out_of_order: Whether the rows of each file are shuffled.
        clock_skew: Share of the devices, 0..1, whose clock is off all the time: mostly minutes or hours, sometimes
            years.
        missing_fields: Share of the events, 0..1, that lack a field: price, country, device, or every id of the user.
        schema_change: From this day on a column has another name, one is new and three have another type; "" for never.
        malformed: Rows of garbage that are added, as a share of the events of their file, 0..1.
        missing_day: The files of this day are not delivered; "" for none.
    """

    duplicates: float = 0.0
    late: float = 0.0
    out_of_order: bool = False
    clock_skew: float = 0.0
    missing_fields: float = 0.0
    schema_change: str = ""
    malformed: float = 0.0
    missing_day: str = ""


FAULTS = tuple(field.name for field in fields(Faults))
"""Names of all faults, in the order in which they are told."""


def parse_faults(words: Sequence[str], *, days: Sequence[str]) -> Faults:
    """Read which faults a user wants.

    Args:
        words: `all`, names of faults, or `name=value` with a share or a day; a later word overrides an earlier one.
        days: The UTC days of the log, ascending, at least one.

    Raises:
        UsageError: A name is unknown, a share is not within 0..1, a day is not of the log, or it is the log's only one.

    >>> parse_faults(["late=0.05", "missing_day"], days=["2026-01-01", "2026-01-02", "2026-01-03"])
    Faults(duplicates=0.0, late=0.05, out_of_order=False, clock_skew=0.0, missing_fields=0.0, schema_change='', \
malformed=0.0, missing_day='2026-01-02')
    """
    asked: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if name == "all" and not equals:
            named = [each for each in FAULTS if each != "missing_day" or len(days) > 1]
            asked |= {each: _usual(each, days) for each in named}
        elif name not in FAULTS:
            raise _refused(f"there is no fault '{name}'; {near(name, ['all', *FAULTS, 'drift_shock'])}")
        else:
            asked[name] = _value(name, value, days) if equals else _usual(name, days)
    if asked.get("missing_day") and len(days) == 1:
        raise _refused(f"{days[0]} is the only day of the log: without it there is none")
    return Faults(**asked)


def _usual(name: str, days: Sequence[str]) -> float | str | bool:
    """Return what a fault is where a user names it alone; the two days differ in a log of at least two."""
    if name in _SHARES:
        return _SHARES[name]
    usual = {"missing_day": days[(len(days) - 1) // 2], "schema_change": days[2 * len(days) // 3]}
    return usual.get(name, True)


def _value(name: str, value: str, days: Sequence[str]) -> float | str:
    if name in _SHARES:
        return _share(name, value)
    if name == "out_of_order":
        raise _refused(f"out_of_order is there or not; it has no value '{value}'")
    if value not in days:
        raise _refused(f"{name}={value} is no day of the log, which goes from {days[0]} to {days[-1]}")
    return value


def _share(name: str, value: str) -> float:
    try:
        share = float(value)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise _refused(f"{name}={value} is no share between 0 and 1")
    return share


def _refused(what: str) -> UsageError:
    return UsageError(what, where="--faults", fix=_FIX, code=Code.USAGE)
