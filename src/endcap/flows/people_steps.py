"""The steps that tell who is who: logins and bots of each day, and whose each device is."""

from endcap.core.tables import BOTS, EVENTS, IDENTITIES, LOGINS
from endcap.events.bots import find_bots
from endcap.events.identities import find_identities, find_logins, needed_logins
from endcap.flows.flow import Flow, Outcome
from endcap.flows.plans import Plan, days_of, planned, union_of

__all__ = ["plan_identities", "plan_logins", "run_identities", "run_logins"]


def _same_day(day: str) -> tuple[str, str]:
    return day, day


def plan_logins(flow: Flow) -> Plan:
    """A partition for each day with events."""
    days = sorted({*days_of(flow, EVENTS, LOGINS), *days_of(flow, EVENTS, BOTS)})
    return planned(flow, days, (EVENTS, _same_day))


def run_logins(flow: Flow, pending: list[str]) -> Outcome:
    """Find who logged in where, and who broke a rule for bots, on each pending day."""
    events = flow.read(EVENTS, pending)
    return Outcome(
        tables={"logins": find_logins(events), "bots": find_bots(events, flow.shop.config.identities.bots)},
    )


def plan_identities(flow: Flow) -> Plan:
    """A partition for each day with events; it looks back on the logins of some days."""
    config = flow.shop.config.identities
    needs = ((EVENTS, _same_day), (LOGINS, lambda day: needed_logins(day, config)))
    return planned(flow, days_of(flow, EVENTS, IDENTITIES), *needs)


def run_identities(flow: Flow, pending: list[str]) -> Outcome:
    """Find whose the devices were on each pending day."""
    config = flow.shop.config.identities
    logins = union_of(pending, lambda day: needed_logins(day, config))
    if not any(part.rows for day, part in flow.ledger.parts(LOGINS.name).items() if day in logins):
        return Outcome(tables={"identities": flow.engine.read_snapshot([], IDENTITIES)})
    found = find_identities(flow.read(EVENTS, pending), flow.read(LOGINS, logins), config, days=pending)
    return Outcome(tables={"identities": found})
