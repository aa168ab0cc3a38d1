"""The steps from events to visits: sessions, exposures."""

from endcap.core.tables import EVENTS, EXPOSURES, SESSIONS, SLATES
from endcap.flows.flow import Flow, Outcome
from endcap.flows.people import people_needs, read_people
from endcap.flows.plans import Plan, days_of, planned, union_of
from endcap.sessions import exposures as exposure_room
from endcap.sessions import sessionize as session_room
from endcap.sessions.checks import check_exposures, check_sessions
from endcap.sessions.exposures import find_exposures
from endcap.sessions.sessionize import sessionize

__all__ = ["plan_exposures", "plan_sessions", "run_exposures", "run_sessions"]


def plan_sessions(flow: Flow) -> Plan:
    """A partition for each day with events."""
    return planned(flow, days_of(flow, EVENTS, SESSIONS), *people_needs(flow, session_room.needed_days))


def run_sessions(flow: Flow, pending: list[str]) -> Outcome:
    """Cut the events around the pending days into sessions."""
    events = read_people(flow, union_of(pending, session_room.needed_days))
    return Outcome(
        tables={"sessions": sessionize(events, flow.shop.config.sessions, days=pending)},
        checks={"sessions": lambda rows: check_sessions(flow.engine, rows, events, days=pending)},
    )


def plan_exposures(flow: Flow) -> Plan:
    """A partition for each day with events."""
    needs = (
        *people_needs(flow, exposure_room.needed_days),
        (SESSIONS, exposure_room.needed_session_days),
        (SLATES, exposure_room.needed_slate_days),
    )
    return planned(flow, days_of(flow, EVENTS, EXPOSURES), *needs)


def run_exposures(flow: Flow, pending: list[str]) -> Outcome:
    """Find what was shown on the pending days and what became of it."""
    events = read_people(flow, union_of(pending, exposure_room.needed_days))
    sessions = flow.read(SESSIONS, union_of(pending, exposure_room.needed_session_days))
    slates = flow.read(SLATES, union_of(pending, exposure_room.needed_slate_days))
    return Outcome(
        tables={"exposures": find_exposures(events, sessions, slates, flow.shop.config.sessions, days=pending)},
        checks={"exposures": lambda rows: check_exposures(flow.engine, rows, events, days=pending)},
    )
