"""Copies and twins over midnight: a day looks back on the last hour of the day before, and never ahead.

So a day that is done stays as it is when the next one comes, and a day can be added to years of others by reading its
own files and one hour of events that were taken in before. Of two copies, and of two twins, the earlier one stays. Of a
pair over midnight both have their final name by then; so where a source has folds, two events of the name that others
are folded into count once if they are of one session and item and within the fold's reach.
"""

from functools import reduce
from typing import Any

import ibis

from endcap.core.clock import DAY_US
from endcap.events.config import EventsConfig
from endcap.events.fold import final_event_name, session_of

__all__ = ["REACH_US", "copies_over_midnight", "edges", "near_midnight", "twins_over_midnight"]

REACH_US = 3_600_000_000
"""How far over midnight a copy is looked for, microseconds: an hour, as trackers try again within minutes."""

_COLUMNS = ("event_id", "event_name", "at_us", "session", "item_id")


def near_midnight(at_us: Any) -> Any:
    """Return whether instants lie in the first or the last hour of their UTC day."""
    return _is_head(at_us) | _is_tail(at_us)


def edges(kept: ibis.Table, before: ibis.Table | None, config: EventsConfig) -> tuple[ibis.Table, ibis.Table]:
    """Return the first hours of some days, and the last hours of days before them.

    Args:
        kept: Rows that would be kept, of the days alone: event_no, item_ordinal, event_id, event_name (folds by their
            own name), at_us, user_key, device_key, source_session_id, item_id.
        before: EVENTS of the days before, as far as these are not among the days themselves; None for none.
        config: The folds.

    Returns:
        Heads (event_no, item_ordinal, event_id, event_name, at_us, session, item_id) and tails (without the numbers).
    """
    named = kept.mutate(event_name=final_event_name(kept.event_name, config), session=session_of(kept))
    heads = named.filter(_is_head(named.at_us)).select("event_no", "item_ordinal", *_COLUMNS)
    tails = named.filter(_is_tail(named.at_us)).select(*_COLUMNS)
    if before is not None:
        told = before.filter(_is_tail(before.at_us))
        tails = tails.union(told.mutate(session=session_of(told)).select(*_COLUMNS))
    return heads, tails


def copies_over_midnight(heads: ibis.Table, tails: ibis.Table) -> ibis.Table:
    """Return (event_no) of events whose id was there less than an hour before, on the day before."""
    earlier = tails.select("event_id", earlier_us="at_us").distinct()
    found = heads.select("event_no", "event_id", "at_us").distinct().join(earlier, "event_id")
    return found.filter((found.at_us - found.earlier_us).between(0, REACH_US)).select("event_no").distinct()


def twins_over_midnight(heads: ibis.Table, tails: ibis.Table, config: EventsConfig) -> ibis.Table:
    """Return (event_no, item_ordinal) of rows whose twin is of the day before."""
    named = tails.filter(tails.item_id.notnull()).rename(earlier_us="at_us")
    found = []
    for fold in config.folds:
        earlier = named.filter(named.event_name == fold.into).select("session", "item_id", "earlier_us").distinct()
        pairs = heads.filter(heads.event_name == fold.into).join(earlier, ["session", "item_id"])
        near = pairs.filter((pairs.at_us - pairs.earlier_us).between(0, round(fold.within_s * 1_000_000)))
        found.append(near.select("event_no", "item_ordinal"))
    if not found:
        return heads.select("event_no", "item_ordinal").limit(0)
    return reduce(lambda left, right: left.union(right), found).distinct()


def _is_head(at_us: Any) -> Any:
    return at_us % DAY_US < REACH_US


def _is_tail(at_us: Any) -> Any:
    return at_us % DAY_US >= DAY_US - REACH_US
