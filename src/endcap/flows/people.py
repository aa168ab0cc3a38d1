"""The events of people: what every step after ingest reads. Bots are left out, and a device's events are its user's."""

from collections.abc import Sequence

import ibis

from endcap.core.contract import Table
from endcap.core.tables import BOTS, EVENTS, IDENTITIES
from endcap.events.bots import needed_bots, without_bots
from endcap.events.identities import as_people
from endcap.flows.flow import Flow
from endcap.flows.plans import DayRange, union_of

__all__ = ["people_needs", "read_people"]


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


def _with_rows(flow: Flow, table: Table, days: Sequence[str]) -> list[str]:
    parts = flow.ledger.parts(table.name)
    return [day for day in days if day in parts and parts[day].rows]
