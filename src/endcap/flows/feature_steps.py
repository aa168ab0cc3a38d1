"""The steps from events and sessions to what models learn from: daily counts, features, sequences, examples."""

import ibis

from endcap.core.clock import next_day
from endcap.core.contract import Table
from endcap.core.ids import digest_of
from endcap.core.tables import (
    ELEMENTS,
    EVENTS,
    EXAMPLES,
    EXPOSURES,
    ITEM_DAYS,
    ITEM_FEATURES,
    SEQUENCES,
    SESSIONS,
    USER_DAYS,
    USER_FEATURES,
)
from endcap.features import daily, negative_pools
from endcap.features import sequences as sequence_room
from endcap.features.checks import check_days, check_examples, check_features, check_negatives, check_sequences
from endcap.features.examples import NegativeSources, examples_by_day, together
from endcap.features.item_features import item_features
from endcap.features.negative_pools import Neighbours
from endcap.features.sequences import sequences
from endcap.features.user_features import user_features
from endcap.flows.flow import Flow, Outcome
from endcap.flows.neighbours import no_neighbours, open_neighbours
from endcap.flows.people import people_needs, read_people
from endcap.flows.plans import Plan, days_of, planned, union_of

__all__ = [
    "plan_daily",
    "plan_examples",
    "plan_item_features",
    "plan_sequences",
    "plan_user_features",
    "run_daily",
    "run_examples",
    "run_item_features",
    "run_sequences",
    "run_user_features",
]


def _history(day: str) -> tuple[str, str]:
    return daily.needed_days(day)


def _days_and_the_next(flow: Flow) -> list[str]:
    """Return the days with events and the day after the last: its features are those that serve now."""
    days = flow.days(EVENTS)
    return [*days, next_day(days[-1])] if days else []


def _feature_days(flow: Flow, made: Table) -> list[str]:
    """Return these days, and those on which there are features although there are no events any more."""
    return sorted({*_days_and_the_next(flow), *days_of(flow, EVENTS, made)})


def _same_day(day: str) -> tuple[str, str]:
    return day, day


def plan_daily(flow: Flow) -> Plan:
    """A partition for each day with events."""
    days = sorted({*days_of(flow, EVENTS, ITEM_DAYS), *days_of(flow, EVENTS, USER_DAYS)})
    return planned(flow, days, *people_needs(flow, _same_day), (SESSIONS, _same_day), (EXPOSURES, _same_day))


def run_daily(flow: Flow, pending: list[str]) -> Outcome:
    """Count what happened on each pending day, and keep what sequences are made of."""
    events, config = read_people(flow, pending), flow.shop.config
    exposures, sessions = flow.read(EXPOSURES, pending), flow.read(SESSIONS, pending)
    return Outcome(
        tables={
            "item_days": daily.item_days(events, exposures),
            "user_days": daily.user_days(events, sessions),
            "elements": sequence_room.elements_of(events, config.features),
        },
        checks={
            "item_days": lambda rows: check_days(flow.engine, rows, ITEM_DAYS),
            "user_days": lambda rows: check_days(flow.engine, rows, USER_DAYS),
        },
    )


def plan_item_features(flow: Flow) -> Plan:
    """A partition for each day with events and the next; an item's first day may be any day before."""
    plan = planned(flow, _feature_days(flow, ITEM_FEATURES), (ITEM_DAYS, _history))
    so_far = ""
    parts = flow.ledger.parts(ITEM_DAYS.name)
    for day in sorted({*plan, *parts}):
        if day in plan:
            plan[day]["item days before"] = so_far
        so_far = digest_of([so_far, parts[day].digest if day in parts else ""])[:32]
    return plan


def run_item_features(flow: Flow, pending: list[str]) -> Outcome:
    """Sum up the items' days before each pending day."""
    wanted = sorted({*pending} & {*_days_and_the_next(flow)})
    if not wanted:
        return Outcome(tables={"item_features": flow.engine.read_snapshot([], ITEM_FEATURES)})
    counted = flow.read(ITEM_DAYS, union_of(wanted, _history))
    return Outcome(
        tables={"item_features": item_features(counted, daily.first_seen(flow.read(ITEM_DAYS)), days=wanted)},
        checks={"item_features": lambda rows: check_features(flow.engine, rows, ITEM_FEATURES)},
    )


def plan_user_features(flow: Flow) -> Plan:
    """A partition for each day with events and the next."""
    return planned(flow, _feature_days(flow, USER_FEATURES), (USER_DAYS, _history))


def run_user_features(flow: Flow, pending: list[str]) -> Outcome:
    """Sum up the users' days before each pending day."""
    wanted = sorted({*pending} & {*_days_and_the_next(flow)})
    if not wanted:
        return Outcome(tables={"user_features": flow.engine.read_snapshot([], USER_FEATURES)})
    return Outcome(
        tables={"user_features": user_features(flow.read(USER_DAYS, union_of(wanted, _history)), days=wanted)},
        checks={"user_features": lambda rows: check_features(flow.engine, rows, USER_FEATURES)},
    )


def plan_sequences(flow: Flow) -> Plan:
    """A partition for each day with sessions."""
    needs = ((ELEMENTS, sequence_room.needed_days), (SESSIONS, _same_day))
    return planned(flow, days_of(flow, SESSIONS, SEQUENCES), *needs)


def run_sequences(flow: Flow, pending: list[str]) -> Outcome:
    """Put the items of the pending days' sessions, and of their users' histories, in order."""
    elements = flow.read(ELEMENTS, union_of(pending, sequence_room.needed_days))
    config = flow.shop.config.features
    return Outcome(
        tables={"sequences": sequences(elements, flow.read(SESSIONS, pending), config, days=pending)},
        checks={"sequences": lambda rows: check_sequences(flow.engine, rows, config)},
    )


def plan_examples(flow: Flow) -> Plan:
    """A partition for each day with sequences; a model that negatives are drawn from is pinned by the settings."""
    needs = [(SEQUENCES, _same_day), (ITEM_DAYS, _history)]
    if "unclicked" in flow.shop.config.features.num_by_kind:
        needs.append((EXPOSURES, negative_pools.needed_days))
    return planned(flow, days_of(flow, SEQUENCES, EXAMPLES), *needs)


def run_examples(flow: Flow, pending: list[str]) -> Outcome:
    """Make the training examples of the pending days, with negatives from the days before each."""
    config = flow.shop.config.features
    counted = flow.read(ITEM_DAYS, union_of(pending, _history))
    sources = NegativeSources(
        counted, flow.read(EXPOSURES, union_of(pending, negative_pools.needed_days)), _neighbours(flow)
    )

    def check(made: ibis.Table) -> None:
        check_examples(flow.engine, made, config)
        check_negatives(flow.engine, made, counted, config, days=pending)

    made = examples_by_day(flow.engine, flow.read(SEQUENCES, pending), sources, config, days=pending, seed=flow.seed)

    def release() -> None:
        for some in made:
            flow.engine.drop(some)

    return Outcome(
        tables={"examples": together(made)},
        checks={"examples": check},
        release=release,
    )


def _neighbours(flow: Flow) -> Neighbours:
    """Open the model that hard negatives are drawn from, if any are."""
    for sampler in flow.shop.config.features.negatives:
        if sampler.kind == "hard":
            return open_neighbours(flow.shop.models, sampler)
    return no_neighbours
