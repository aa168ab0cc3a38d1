"""The steps from files to tables of the events room: ingest, items, slates."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from endcap.core.clock import day_start_us
from endcap.core.tables import EVENTS, ITEMS, QUARANTINE
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
    stray_days,
)
from endcap.events.ingest import ingest
from endcap.events.inputs import files_of, is_left_alone, plan_days
from endcap.events.items import build_items
from endcap.events.slates import build_slates, quarantined_under, read_slates, slate_files_by_day
from endcap.flows.flow import Flow, Outcome
from endcap.flows.key import checked_user_key, settle_user_key
from endcap.flows.plans import Plan
from endcap.flows.source_schemas import keep_schemas, new_schemas_told

__all__ = ["plan_ingest", "plan_items", "plan_slates", "run_ingest", "run_items", "run_slates"]


def _source_files(flow: Flow) -> list[SourceFile]:
    """List the files of the export and what the server has landed; files seen before are not read again.

    The versions of their schemas are noted first: a run that dies in between notes the files once more.
    """
    config = flow.shop.config.events
    known = flow.ledger.source_files()
    cache = cache_of(known)
    files = scan_files(lambda: flow.engine, config, flow.shop.source, cache=cache)
    files += scan_landing(lambda: flow.engine, config, flow.shop.landing / "events", cache=cache)
    keep_schemas(flow, files)
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
    fed = days_fed([file for file in _source_files(flow) if not file.broken], config, now_us=flow.now_us)
    files, key = files_for(fed, pending), checked_user_key(flow.shop, flow.ledger)
    if not files:  # the days were left empty, and so were those beside them
        return Outcome(
            tables={table.name: flow.engine.read_snapshot([], table) for table in (EVENTS, QUARANTINE)},
            output={day: {"counts": {}, "files": {}} for day in pending},
        )
    reading = read_files(flow.engine, config, files, now_us=flow.now_us)
    ingested = ingest(flow.engine, reading, config, key=key, now_us=flow.now_us, days=pending)
    claimed = days_claimed(fed, config, now_us=flow.now_us) & set(pending)
    counts = check_intake(flow.engine, ingested, config, claimed=claimed, stray=stray_days(fed, config))
    per_day = {
        day: {
            "counts": _by_event_name([row for row in counts if row["date_partition"] == day]),
            "files": files_of(fed.get(day, ())),
        }
        for day in pending
    }
    schemas_told = new_schemas_told(flow)
    quarantined = sum(row["num_rows"] for row in counts if row["outcome"] == "quarantined")
    return Outcome(
        tables={"events": ingested.events, "quarantine": ingested.quarantine},
        output=per_day,
        detail={"counts": _by_event_name(counts)},
        note="; ".join(filter(None, [f"{quarantined:,} rows in quarantine" if quarantined else "", schemas_told])),
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
