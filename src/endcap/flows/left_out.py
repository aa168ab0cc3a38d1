"""Partitions that a step refused by themselves while it did the others: how a run tells of them."""

from collections.abc import Mapping

from endcap.core.errors import EndcapError

__all__ = ["refusal_of_days", "told_left_out"]

_SHOWN = 3


def told_left_out(left_out: Mapping[str, EndcapError]) -> str:
    """Return a line about partitions that were left out, "" if none were.

    >>> told_left_out({})
    ''
    """
    return f"left out: {_names(left_out)}" if left_out else ""


def refusal_of_days(left_out: Mapping[str, EndcapError]) -> EndcapError:
    """Return the error of days that were left out: that of the first, and which days wait with it.

    Args:
        left_out: Day -> why; at least one.
    """
    first = left_out[min(left_out)]
    more = f"; so {len(left_out) - 1:,} more" if len(left_out) > 1 else ""
    wait = "waits" if len(left_out) == 1 else "wait"
    return type(first)(
        f"{first.what}{more}: {_names(left_out)} {wait} as before, all other days are done",
        where=first.where,
        fix=first.fix,
        code=first.code,
    )


def _names(left_out: Mapping[str, EndcapError]) -> str:
    names = sorted(left_out)
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")
