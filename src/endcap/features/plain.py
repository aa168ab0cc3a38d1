"""Features of users and sessions at an instant in plain loops: slow, and what the two readings are compared with."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from endcap.core.clock import DAY_US
from endcap.features.declared import Feature, of_instants

__all__ = ["plain_features"]

Row = Mapping[str, Any]
Value = int | float | None


def plain_features(rows: Iterable[Row], at_us: int, *, gap_us: int) -> dict[str, Value]:
    """Compute all features of one user at one instant.

    Args:
        rows: The user's rows of EVENTS in any order: event_name, at_us, item_id, price_minor. All that there are.
        at_us: The instant, microseconds UTC.
        gap_us: The pause that ends a session, microseconds.

    Returns:
        Name -> value; None where it is missing.
    """
    past = [row for row in rows if row["at_us"] < at_us]
    starts = session_starts({row["at_us"] for row in past}, gap_us=gap_us)
    # An event of that instant tells by its own start whether the last session goes on.
    opened = session_starts({*(row["at_us"] for row in past), at_us}, gap_us=gap_us)
    started_us = None if at_us in opened else max(starts)
    return {feature.name: _value(feature, past, starts, started_us, at_us) for feature in of_instants()}


def session_starts(instants: Iterable[int], *, gap_us: int) -> list[int]:
    """Return the instants at which a user's sessions start, in order.

    Args:
        instants: Instants of the user's events.
        gap_us: The pause that ends a session.
    """
    starts, natural_days = [], set()
    before = None
    for at_us in sorted(set(instants)):
        day = at_us // DAY_US
        is_natural = before is None or at_us - before > gap_us
        is_first = before is None or before // DAY_US != day
        is_forced = before is not None and is_first and before // DAY_US not in natural_days
        if is_natural:
            natural_days.add(day)
        if is_natural or is_forced:
            starts.append(at_us)
        before = at_us
    return starts


def _value(feature: Feature, past: Sequence[Row], starts: Sequence[int], started_us: int | None, at_us: int) -> Value:
    if feature.days is not None:
        first_us = at_us - feature.days * DAY_US
    elif started_us is not None:
        first_us = started_us
    else:
        return feature.default
    within = [row for row in past if row["at_us"] >= first_us]
    if feature.how == "sessions":
        return sum(start >= first_us for start in starts)
    if feature.how == "seconds_since_start":
        return (at_us - first_us) / 1_000_000
    if feature.how == "seconds_since_last":
        instants: list[int] = [row["at_us"] for row in within if not feature.of or row["event_name"] in feature.of]
        return (at_us - max(instants)) / 1_000_000 if instants else feature.default
    found = _of_items(feature, within)
    return feature.default if found is None else found


def _of_items(feature: Feature, within: Sequence[Row]) -> Value:
    """Sum up rows that name an item."""
    named = [row for row in within if row["event_name"] in feature.of and row["item_id"] is not None]
    prices: list[int] = [row["price_minor"] for row in named if row["price_minor"] is not None]
    if feature.how == "count":
        return len(named)
    if feature.how == "distinct_items":
        return len({row["item_id"] for row in named})
    if feature.how == "sum_price":
        return sum(prices)
    if feature.how == "mean_price":
        return (2 * sum(prices) + len(prices)) // (2 * len(prices)) if prices else None
    assert feature.how == "rate", feature.how
    per = sum(row["event_name"] in feature.per and row["item_id"] is not None for row in within)
    return len(named) / per if per else None
