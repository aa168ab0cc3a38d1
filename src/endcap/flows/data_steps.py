"""The steps from files to tables: ingest, items, slates, sessions, exposures, features, sequences, examples.

Each plans its partitions with the digests of what they are made from, and hands the room's own function what it needs.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from endcap.core.clock import day_start_us, days_between, next_day
from endcap.core.contract import Table
from endcap.core.ids import digest_of
from endcap.core.tables import (
    EVENTS,
    EXAMPLES,
    EXPOSURES,
    ITEM_FEATURES,
    ITEMS,
    QUARANTINE,
    SEQUENCES,
    SESSIONS,
    SLATES,
    USER_FEATURES,
)
from endcap.events.catalogue import read_catalogue
from endcap.events.catalogue_config import NoCatalogue
from endcap.events.checks import check_feed, check_intake
from endcap.events.files import (
    SourceFile,
    cache_of,
    days_claimed,
    days_fed,
    files_for,
    read_files,
    scan_files,
    scan_landing,
)
from endcap.events.ingest import ingest
from endcap.events.inputs import files_of, is_left_alone, plan_days
from endcap.events.items import build_items
from endcap.events.slates import build_slates, quarantined_under, read_slates, slate_files_by_day
from endcap.features import daily
from endcap.features import sequences as sequence_room
from endcap.features.checks import check_examples, check_features, check_sequences
from endcap.features.examples import make_examples
from endcap.features.item_features import item_features
from endcap.features.sequences import sequences
from endcap.features.user_features import user_features
from endcap.flows.flow import Flow, Outcome
from endcap.flows.key import checked_user_key, settle_user_key
from endcap.sessions import exposures as exposure_room
from endcap.sessions import sessionize as session_room
from endcap.sessions.checks import check_exposures, check_sessions
from endcap.sessions.exposures import find_exposures
from endcap.sessions.sessionize import sessionize

__all__ = [
    "plan_examples",
    "plan_exposures",
    "plan_ingest",
    "plan_item_features",
    "plan_items",
    "plan_sequences",
    "plan_sessions",
    "plan_slates",
    "plan_user_features",
    "run_examples",
    "run_exposures",
    "run_ingest",
    "run_item_features",
    "run_items",
    "run_sequences",
    "run_sessions",
    "run_slates",
    "run_user_features",
]

Plan = dict[str, dict[str, str]]
DayRange = Callable[[str], tuple[str, str]]


# --- ingest ---------------------------------------------------------------------------------------------------------


def _source_files(flow: Flow) -> list[SourceFile]:
    """List the files of the export and what the server has landed; files seen before are not read again."""
    config = flow.shop.config.events
    known = flow.ledger.source_files()
    cache = cache_of(known)
    files = scan_files(lambda: flow.engine, config, flow.shop.source, cache=cache)
    files += scan_landing(lambda: flow.engine, config, flow.shop.landing / "events", cache=cache)
    if set(files) != set(known):
        flow.ledger.keep_source_files(files)
    return files


def plan_ingest(flow: Flow) -> Plan:
    """A partition for each day that a file feeds, up to the day asked for; `events.inputs` says what of it stays.

    What a day was made from is in the output that ingest left for it.
    """
    outputs, again = flow.ledger.outputs("ingest"), "ingest" in flow.again
    return plan_days(
        _source_files(flow),
        {day: output.get("files", {}) for day, output in outputs.items()},
        flow.shop.config.events,
        now_us=flow.now_us,
        through=flow.through,
        again=again,
    )


def run_ingest(flow: Flow, pending: list[str]) -> Outcome:
    """Read the files of the pending days and their neighbours, and write these days."""
    config = flow.shop.config.events
    fed = days_fed(_source_files(flow), config, now_us=flow.now_us)
    files, key = files_for(fed, pending), checked_user_key(flow.shop, flow.ledger)
    if not files:  # the days were left empty, and so were those beside them
        return Outcome(
            tables={table.name: flow.engine.read_snapshot([], table) for table in (EVENTS, QUARANTINE)},
            output={day: {"counts": {}, "files": {}} for day in pending},
        )
    reading = read_files(flow.engine, config, files, now_us=flow.now_us)
    ingested = ingest(flow.engine, reading, config, key=key, now_us=flow.now_us, days=pending)
    counts = check_intake(
        flow.engine, ingested, config, claimed=days_claimed(fed, config, now_us=flow.now_us) & set(pending)
    )
    per_day = {
        day: {
            "counts": _by_event_name([row for row in counts if row["date_partition"] == day]),
            "files": files_of(fed.get(day, ())),
        }
        for day in pending
    }
    quarantined = sum(row["num_rows"] for row in counts if row["outcome"] == "quarantined")
    return Outcome(
        tables={"events": ingested.events, "quarantine": ingested.quarantine},
        output=per_day,
        detail={"counts": _by_event_name(counts)},
        note=f"{quarantined:,} rows in quarantine" if quarantined else "",
        release=lambda: ingested.drop(flow.engine),
        put_in_force=lambda: settle_user_key(key, flow.ledger),
    )


def _by_event_name(counts: Iterable[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Add counts up to event name -> `events_<outcome>` and `rows_<outcome>` (with the reason where there is one)."""
    total: dict[str, dict[str, int]] = {}
    for row in counts:
        sums = total.setdefault(row["event_name"], {})
        what = row["outcome"] + (f":{row['reason']}" if row["reason"] else "")
        for unit in ("events", "rows"):
            sums[f"{unit}_{what}"] = sums.get(f"{unit}_{what}", 0) + row[f"num_{unit}"]
    return total


# --- items and slates -----------------------------------------------------------------------------------------------


def _feed_path(flow: Flow) -> Path | None:
    catalogue = flow.shop.config.events.catalogue
    return None if isinstance(catalogue, NoCatalogue) else flow.shop.source / catalogue.file


def plan_items(flow: Flow) -> Plan:
    """One partition: all items, from the feed and from what events say."""
    if not flow.through:
        return {}
    path = _feed_path(flow)
    feed = hashlib.sha256(path.read_bytes()).hexdigest() if path and path.is_file() else ""
    return {"": {"feed": feed, **flow.digests(EVENTS, flow.days(EVENTS))}}


def run_items(flow: Flow, _pending: list[str]) -> Outcome:
    """Bring the items up to date; a change comes into force at the start of the last day."""
    config, engine, path = flow.shop.config.events, flow.engine, _feed_path(flow)
    tables, partitions, feed, num_feed = {}, {}, None, 0
    if path is not None and not isinstance(config.catalogue, NoCatalogue):
        currency, at_us = config.default_currency, day_start_us(flow.through)
        read = read_catalogue(path, config.catalogue, default_currency=currency, day="feed", at_us=at_us)
        num_feed = read.items.num_rows
        before = 0 if "items" in flow.again else flow.ledger.outputs("items").get("", {}).get("num_feed", 0)
        check_feed(num_feed, read.quarantine.num_rows, num_before=before, config=config)
        feed = engine.read_arrow(read.items)
        tables["quarantine"], partitions["quarantine"] = engine.read_arrow(read.quarantine), ["feed"]
    previous = flow.read(ITEMS) if flow.tables.version(ITEMS) >= 0 else None
    events = flow.read(EVENTS, flow.days(EVENTS))
    items = engine.materialise(build_items(feed, events, previous, config, as_of_us=day_start_us(flow.through)))
    num_items = engine.to_arrow(items.filter(items.valid_to_us.isnull())).num_rows
    return Outcome(
        tables={"items": items, **tables},
        partitions=partitions,
        output={"": {"num_items": num_items, "num_feed": num_feed}},
        note=f"{num_items:,} items in force",
        release=lambda: engine.drop(items),
    )


def plan_slates(flow: Flow) -> Plan:
    """A partition for each UTC day, made from the segments that may hold slates of it.

    As in `plan_ingest`, a day that was made from segments which are gone stays.
    """
    outputs, again = flow.ledger.outputs("slates"), "slates" in flow.again
    plan = {}
    for day, paths in slate_files_by_day(flow.shop.landing / "slates").items():
        own = _sizes(paths)
        made = {} if again else outputs.get(day, {}).get("files", {})
        gone = {key: size for key, size in made.items() if key not in own}
        if not is_left_alone(day, own, gone, made, step="slates"):
            plan[day] = own
    return plan


def _sizes(paths: Iterable[Path]) -> dict[str, str]:
    """Return key -> size of segments: one that is complete never changes, so these two say which bytes it has."""
    return {f"slates:{path.name}": str(path.stat().st_size) for path in paths}


def run_slates(flow: Flow, pending: list[str]) -> Outcome:
    """Read the segments of the pending days and write these days."""
    engine, by_day = flow.engine, slate_files_by_day(flow.shop.landing / "slates")
    slates = read_slates(sorted({path for day in pending for path in by_day[day]}))
    rows = engine.materialise(build_slates(engine, slates))
    bad, booked = engine.read_arrow(slates.quarantine), [quarantined_under(day) for day in pending]
    return Outcome(
        tables={
            "slates": rows.filter(rows.date_partition.isin(pending)),
            "quarantine": bad.filter(bad.date_partition.isin(booked)),
        },
        partitions={"quarantine": booked},
        output={day: {"files": _sizes(by_day[day])} for day in pending},
        release=lambda: engine.drop(rows),
    )


# --- sessions -------------------------------------------------------------------------------------------------------


def _plan_days(flow: Flow, days: Iterable[str], *needs: tuple[Table, DayRange]) -> Plan:
    """Plan a partition for each day, from the digests of the days of other tables that it needs."""
    parts = {table.name: flow.ledger.parts(table.name) for table, _ in needs}
    return {
        day: {
            f"{table.name}/{other}": parts[table.name][other].digest
            for table, needed in needs
            for other in days_between(*needed(day))
            if other in parts[table.name]
        }
        for day in days
    }


def _days(flow: Flow, table: Table, made: Table) -> list[str]:
    """Return the days on which a table has rows, and those on which only what is made of it has: there it must go."""
    parts = flow.ledger.parts(made.name)
    left = {day for day, part in parts.items() if part.rows and day <= (flow.through or day)}
    return sorted({*flow.days(table), *left})


def _union(pending: Sequence[str], needed: DayRange) -> list[str]:
    """Return all days that some pending days need."""
    return sorted({day for each in pending for day in days_between(*needed(each))})


def plan_sessions(flow: Flow) -> Plan:
    """A partition for each day with events."""
    return _plan_days(flow, _days(flow, EVENTS, SESSIONS), (EVENTS, session_room.needed_days))


def run_sessions(flow: Flow, pending: list[str]) -> Outcome:
    """Cut the events around the pending days into sessions."""
    events = flow.read(EVENTS, _union(pending, session_room.needed_days))
    return Outcome(
        tables={"sessions": sessionize(events, flow.shop.config.sessions, days=pending)},
        checks={"sessions": lambda rows: check_sessions(flow.engine, rows, events, days=pending)},
    )


def plan_exposures(flow: Flow) -> Plan:
    """A partition for each day with events."""
    needs = (
        (EVENTS, exposure_room.needed_days),
        (SESSIONS, exposure_room.needed_session_days),
        (SLATES, exposure_room.needed_slate_days),
    )
    return _plan_days(flow, _days(flow, EVENTS, EXPOSURES), *needs)


def run_exposures(flow: Flow, pending: list[str]) -> Outcome:
    """Find what was shown on the pending days and what became of it."""
    events = flow.read(EVENTS, _union(pending, exposure_room.needed_days))
    sessions = flow.read(SESSIONS, _union(pending, exposure_room.needed_session_days))
    slates = flow.read(SLATES, _union(pending, exposure_room.needed_slate_days))
    return Outcome(
        tables={"exposures": find_exposures(events, sessions, slates, flow.shop.config.sessions, days=pending)},
        checks={"exposures": lambda rows: check_exposures(flow.engine, rows, events, days=pending)},
    )


# --- features -------------------------------------------------------------------------------------------------------


def _history(day: str) -> tuple[str, str]:
    return daily.needed_days(day)


def _days_and_the_next(flow: Flow) -> list[str]:
    """Return the days with events and the day after the last: its features are those that serve now."""
    days = flow.days(EVENTS)
    return [*days, next_day(days[-1])] if days else []


def _feature_days(flow: Flow, made: Table) -> list[str]:
    """Return these days, and those on which there are features although there are no events any more."""
    return sorted({*_days_and_the_next(flow), *_days(flow, EVENTS, made)})


def plan_item_features(flow: Flow) -> Plan:
    """A partition for each day with events and the next; an item's first day may be any day before."""
    plan = _plan_days(flow, _feature_days(flow, ITEM_FEATURES), (EVENTS, _history), (EXPOSURES, _history))
    so_far = ""
    parts = flow.ledger.parts(EVENTS.name)
    for day in sorted(plan):
        plan[day]["events before"] = so_far
        so_far = digest_of([so_far, parts[day].digest if day in parts else ""])[:32]
    return plan


def run_item_features(flow: Flow, pending: list[str]) -> Outcome:
    """Sum up the items' days before each pending day."""
    wanted = sorted({*pending} & {*_days_and_the_next(flow)})
    if not wanted:
        return Outcome(tables={"item_features": flow.engine.read_snapshot([], ITEM_FEATURES)})
    counted = _counted_items(flow, _union(wanted, _history))
    seen = flow.engine.materialise(daily.first_seen(flow.read(EVENTS)))
    return Outcome(
        tables={"item_features": item_features(counted, seen, days=wanted)},
        checks={"item_features": lambda rows: check_features(flow.engine, rows, ITEM_FEATURES)},
        release=lambda: _drop(flow, counted, seen),
    )


def _counted_items(flow: Flow, days: Sequence[str]) -> Any:
    """Count what happened with each item on each of some days; small, and read more than once."""
    clicks = flow.shop.config.sessions.click_events
    return flow.engine.materialise(
        daily.item_days(flow.read(EVENTS, days), flow.read(EXPOSURES, days), click_events=clicks)
    )


def _drop(flow: Flow, *held: Any) -> None:
    for table in held:
        flow.engine.drop(table)


def plan_user_features(flow: Flow) -> Plan:
    """A partition for each day with events and the next."""
    return _plan_days(flow, _feature_days(flow, USER_FEATURES), (EVENTS, _history), (SESSIONS, _history))


def run_user_features(flow: Flow, pending: list[str]) -> Outcome:
    """Sum up the users' days before each pending day."""
    wanted = sorted({*pending} & {*_days_and_the_next(flow)})
    if not wanted:
        return Outcome(tables={"user_features": flow.engine.read_snapshot([], USER_FEATURES)})
    days = _union(wanted, _history)
    counted = flow.engine.materialise(daily.user_days(flow.read(EVENTS, days), flow.read(SESSIONS, days)))
    return Outcome(
        tables={"user_features": user_features(counted, days=wanted)},
        checks={"user_features": lambda rows: check_features(flow.engine, rows, USER_FEATURES)},
        release=lambda: flow.engine.drop(counted),
    )


def _same_day(day: str) -> tuple[str, str]:
    return day, day


def plan_sequences(flow: Flow) -> Plan:
    """A partition for each day with sessions."""
    return _plan_days(
        flow, _days(flow, SESSIONS, SEQUENCES), (EVENTS, sequence_room.needed_days), (SESSIONS, _same_day)
    )


def run_sequences(flow: Flow, pending: list[str]) -> Outcome:
    """Put the items of the pending days' sessions, and of their users' histories, in order."""
    events = flow.read(EVENTS, _union(pending, sequence_room.needed_days))
    sessions = flow.read(SESSIONS, pending)
    config = flow.shop.config.features
    return Outcome(
        tables={"sequences": sequences(events, sessions, config, days=pending)},
        checks={"sequences": lambda rows: check_sequences(flow.engine, rows, config)},
    )


def plan_examples(flow: Flow) -> Plan:
    """A partition for each day with sequences."""
    return _plan_days(
        flow, _days(flow, SEQUENCES, EXAMPLES), (SEQUENCES, _same_day), (EVENTS, _history), (EXPOSURES, _history)
    )


def run_examples(flow: Flow, pending: list[str]) -> Outcome:
    """Make the training examples of the pending days, with negatives from the days before each."""
    days = _union(pending, _history)
    counted = _counted_items(flow, days)
    rows = make_examples(
        flow.engine, flow.read(SEQUENCES, pending), counted, flow.shop.config.features, days=pending, seed=flow.seed
    )
    return Outcome(
        tables={"examples": rows},
        checks={"examples": lambda made: check_examples(flow.engine, made, flow.shop.config.features)},
        release=lambda: flow.engine.drop(counted),
    )
