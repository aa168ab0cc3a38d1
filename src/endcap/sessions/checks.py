"""What must be true of sessions and exposures beyond their columns; asked before they are written."""

from collections.abc import Sequence
from typing import Any

import ibis

from endcap.core.clock import next_day
from endcap.core.errors import Code, DataError
from endcap.core.tables import EXPOSURES, SESSIONS
from endcap.engines.port import Engine
from endcap.sessions.sessionize import and_the_next, in_sessions

__all__ = ["check_exposures", "check_sessions"]


def check_sessions(engine: Engine, sessions: ibis.Table, events: ibis.Table, *, days: Sequence[str]) -> None:
    """Check that sessions do not overlap, count their events, and leave none out.

    Args:
        engine: Computes the checks.
        sessions: Materialised SESSIONS of `days`.
        events: The EVENTS they were made from.
        days: The days that were done. Whether every event lies in a session can be told for those of them whose day
            before was done too: a day's first events may belong to a session of the day before.

    Raises:
        DataError: A check fails (CONTRACT_BROKEN); every failure is named with its number.
    """
    complete = [day for day in days if next_day(day, -1) in set(days)]
    told = events.filter(events.date_partition.isin(and_the_next(days)))
    told = told.select("user_key", "at_us", "event_id", "date_partition").distinct()
    # An event is named by more than its id: a sender may use an id twice, days apart.
    named = ("user_key", "at_us", "event_id")
    found = engine.materialise(in_sessions(told, sessions).select(*named, "date_partition"))
    in_order = ibis.window(group_by="user_key", order_by=["started_us", "session_id"])
    spans = sessions.mutate(last_us=sessions.ended_us.lag().over(in_order))
    measured = _measure(
        engine,
        claimed=sessions.num_events.sum(),
        found=found.count(),
        different=found.select(*named).distinct().count(),
        overlapping=(spans.last_us >= spans.started_us).sum(),
        backward=(sessions.ended_us < sessions.started_us).sum(),
        told=told.filter(told.date_partition.isin(complete)).count(),
        placed=found.filter(found.date_partition.isin(complete)).count(),
    )
    engine.drop(found)
    faults = {
        "sessions overlap another of the same user": measured["overlapping"],
        "sessions end before they start": measured["backward"],
        "events lie in two sessions": measured["found"] - measured["different"],
        "events too many or too few are counted in num_events": abs(measured["claimed"] - measured["found"]),
        "events lie in no session": measured["told"] - measured["placed"],
    }
    _refuse(SESSIONS.name, faults)


def check_exposures(engine: Engine, exposures: ibis.Table, events: ibis.Table, *, days: Sequence[str]) -> None:
    """Check that every item shown is there once, and that no outcome is counted twice.

    Args:
        engine: Computes the checks.
        exposures: Materialised EXPOSURES of `days`.
        events: The EVENTS they were made from.
        days: The days that were done.

    Raises:
        DataError: A check fails (CONTRACT_BROKEN); every failure is named with its number.
    """
    is_shown = (events.event_name == "view_item_list") & events.item_id.notnull() & (events.item_ordinal >= 1)
    in_reach = events.filter(events.date_partition.isin(and_the_next(days)))
    measured = _measure(
        engine,
        shown=events.filter(is_shown & events.date_partition.isin(list(days))).count(),
        listed=exposures.count(),
        carted=exposures.carted.sum(),
        carts=in_reach.filter(in_reach.event_name == "add_to_cart").count(),
        purchased=exposures.purchased.sum(),
        lines=in_reach.filter(in_reach.event_name == "purchase").count(),
    )
    faults = {
        "items shown are missing or there twice": abs(measured["shown"] - measured["listed"]),
        "exposures are carted without an add_to_cart": max(0, measured["carted"] - measured["carts"]),
        "exposures are purchased without a purchased line": max(0, measured["purchased"] - measured["lines"]),
    }
    _refuse(EXPOSURES.name, faults)


def _measure(engine: Engine, **values: Any) -> dict[str, int]:
    """Compute single numbers; a sum over no rows is 0."""
    return {
        name: int(engine.to_arrow(value.name("n").as_table())["n"][0].as_py() or 0) for name, value in values.items()
    }


def _refuse(table: str, faults: dict[str, int]) -> None:
    broken = [f"{count:,} {what}" for what, count in faults.items() if count]
    if broken:
        raise DataError(
            f"table {table} does not hold together: {'; '.join(broken)}",
            where=f"table {table}",
            fix="nothing was written; report this with the output of `endcap show runs`",
            code=Code.CONTRACT_BROKEN,
        )
