"""Events of the source that tell one thing twice: the twin of an event is folded into it."""

from functools import reduce
from typing import Any

import ibis

from endcap.events.config import EventsConfig, Fold

__all__ = ["final_event_name", "folded_rows", "session_of"]


def folded_rows(rows: ibis.Table, config: EventsConfig) -> ibis.Table:
    """Find the rows that have a twin.

    A row of `fold.event_name` is folded where a row of `fold.into` of the same session, item and UTC day lies within
    `within_s`, earlier or later. The twin is not used up, so the answer does not depend on the order of rows.

    Args:
        rows: Rows that would be kept: event_no, item_ordinal, event_name (folds by their own name), at_us, user_key,
            device_key, source_session_id, item_id, date_partition.
        config: The folds.

    Returns:
        event_no and item_ordinal of the folded rows, each once.
    """
    keyed = rows.mutate(session=session_of(rows)).filter(rows.item_id.notnull())
    found = [_twins(keyed, fold) for fold in config.folds]
    if not found:
        return rows.select("event_no", "item_ordinal").limit(0)
    return reduce(lambda left, right: left.union(right), found).distinct()


def _twins(rows: ibis.Table, fold: Fold) -> ibis.Table:
    within_us = round(fold.within_s * 1_000_000)
    folded = rows.filter(rows.event_name == fold.event_name)
    same = ["session", "item_id", "date_partition"]
    stays = rows.filter(rows.event_name == fold.into).select(*same, into_us="at_us").distinct()
    near = folded.join(stays, same)
    return near.filter((near.at_us - near.into_us).between(-within_us, within_us)).select("event_no", "item_ordinal")


def session_of(rows: ibis.Table) -> Any:
    """Return the device's session as the source numbers it, or the user where it has none."""
    return ibis.coalesce(rows.device_key + "/" + rows.source_session_id, rows.user_key)


def final_event_name(event_name: ibis.Column, config: EventsConfig) -> ibis.Column:
    """Return the canonical name of events that stay: a name that is folded becomes the name it is folded into."""
    branches = [(event_name == fold.event_name, fold.into) for fold in config.folds]
    return ibis.cases(*branches, else_=event_name) if branches else event_name
