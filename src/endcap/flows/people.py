"""The events of people: what every step after ingest reads. Bots are left out, and a device's events are its user's."""

from collections.abc import Sequence

import ibis

from endcap.core.clock import days_between, next_day
from endcap.core.contract import Table
from endcap.core.tables import BOTS, EVENTS, IDENTITIES, LOGINS
from endcap.events.bots import needed_bots, without_bots
from endcap.events.identities import as_people
from endcap.flows.flow import Flow
from endcap.flows.plans import DayRange, union_of

__all__ = ["owner_days", "people_needs", "read_owners", "read_people"]


def people_needs(flow: Flow, needed: DayRange) -> tuple[tuple[Table, DayRange], ...]:
    """Return what the events of people on some days are made from, for `planned`."""

    def of_bots(day: str) -> tuple[str, str]:
        first, last = needed(day)
        return needed_bots(first, flow.shop.config.identities.bots), last

    return (EVENTS, needed), (IDENTITIES, needed), (BOTS, of_bots)


def read_people(flow: Flow, days: Sequence[str]) -> ibis.Table:
    """Read EVENTS of some days as people's: `user_key` is the user's where the device is known to be his."""
    rules = flow.shop.config.identities.bots
    events = flow.read(EVENTS, days)
    bots = _with_rows(flow, BOTS, union_of(days, lambda day: (needed_bots(day, rules), day)))
    if bots:
        events = without_bots(events, flow.read(BOTS, bots), rules)
    known = _with_rows(flow, IDENTITIES, days)
    return as_people(events, flow.read(IDENTITIES, known)) if known else events


def owner_days(flow: Flow) -> list[str]:
    """Return the days of logins that tell whose the devices are on the day after the flow's last."""
    keep_days = flow.shop.config.identities.keep_days
    return days_between(next_day(flow.through, 1 - keep_days), flow.through) if keep_days else []


def read_owners(flow: Flow) -> dict[str, str]:
    """Return device key -> user key as of the end of the flow's last day: whose the devices are on the day after."""
    days = _with_rows(flow, LOGINS, owner_days(flow))
    if not days:
        return {}
    logins = flow.read(LOGINS, days)
    last = logins.group_by("device_key").aggregate(user_key=logins.user_key.argmax(logins.until_us))
    told = flow.engine.to_arrow(last)
    return dict(zip(told["device_key"].to_pylist(), told["user_key"].to_pylist(), strict=True))


def _with_rows(flow: Flow, table: Table, days: Sequence[str]) -> list[str]:
    parts = flow.ledger.parts(table.name)
    return [day for day in days if day in parts and parts[day].rows]
