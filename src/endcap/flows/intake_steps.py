"""The steps from files of events and of what was served to tables: ingest, slates."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ibis

from endcap.core.clock import next_day
from endcap.core.errors import Code, EndcapError, SourceError
from endcap.core.tables import EVENTS, QUARANTINE
from endcap.events.checks import bad_days, check_intake
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
from endcap.events.slates import build_slates, quarantined_under, read_slates, slate_files_by_day
from endcap.flows.flow import Flow, Outcome
from endcap.flows.key import checked_user_key, settle_user_key
from endcap.flows.plans import Plan
from endcap.flows.source_schemas import keep_schemas, new_schemas_told

__all__ = ["plan_ingest", "plan_slates", "run_ingest", "run_slates"]


def _source_files(flow: Flow) -> list[SourceFile]:
    """List the files of the export and what the server has landed; files seen before are not read again.

    The versions of their schemas are noted first: a run that dies in between notes the files once more.
    """
    config = flow.shop.config.events
    known = flow.ledger.sources.files()
    cache = cache_of(known)
    files = scan_files(lambda: flow.engine, config, flow.shop.source, cache=cache)
    files += scan_landing(lambda: flow.engine, config, flow.shop.landing / "events", cache=cache)
    keep_schemas(flow, files)
    if set(files) != set(known):
        flow.ledger.sources.keep_files(files)
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
    """Read the files of the pending days and, of the days before, what was taken in; write these days.

    Days that are empty, damaged or mostly bad are left out, and the others are read once more without them: no row of
    a refused day may count as the first copy of an event.
    """
    readable = [file for file in _source_files(flow) if not file.broken]
    fed = days_fed(readable, flow.shop.config.events, now_us=flow.now_us)
    left_out: dict[str, EndcapError] = {}
    while days := [day for day in pending if day not in left_out]:
        try:
            outcome = _take_in(flow, fed, days)
        except SourceError as error:
            if error.code is not Code.SOURCE_UNREADABLE or not (damaged := _days_of_damaged(flow, fed, days, error)):
                raise
            left_out |= damaged
            continue
        if not outcome.left_out:
            return replace(outcome, left_out=left_out)
        outcome.release()
        left_out |= outcome.left_out
    return Outcome(left_out=left_out)


def _days_of_damaged(
    flow: Flow, fed: Mapping[str, Sequence[SourceFile]], days: Sequence[str], error: SourceError
) -> dict[str, EndcapError]:
    """Return the days of files that turned out to be damaged when they were read, each with its error.

    An engine does not always say which of many Parquet files it was: then each is read alone.
    """
    found: dict[str, EndcapError] = {}
    for file in files_for(fed, days):
        if file.name == error.where or (file.path.endswith(".parquet") and not _can_be_read(flow, file)):
            told = SourceError(error.what, where=file.name, fix=error.fix, code=error.code)
            found |= {day: told for day in days if file in fed.get(day, ())}
    return found


def _can_be_read(flow: Flow, file: SourceFile) -> bool:
    try:
        flow.engine.drop(flow.engine.materialise(flow.engine.read_parquet([file.path])))
    except SourceError:
        return False
    return True


def _take_in(flow: Flow, fed: Mapping[str, Sequence[SourceFile]], pending: list[str]) -> Outcome:
    """Take in some days, which `fed` says the files of; the outcome of bad ones says no more than which they are."""
    config = flow.shop.config.events
    files, key = files_for(fed, pending), checked_user_key(flow.shop, flow.ledger)
    if not files:  # the days were left empty, and so were those beside them
        return Outcome(
            tables={table.name: flow.engine.read_snapshot([], table) for table in (EVENTS, QUARANTINE)},
            output={day: {"counts": {}, "files": {}} for day in pending},
        )
    reading = read_files(flow.engine, config, files, now_us=flow.now_us)
    reading = replace(reading, before=_events_before(flow, pending))
    ingested = ingest(flow.engine, reading, config, key=key, now_us=flow.now_us, days=pending)
    claimed = days_claimed(fed, config, now_us=flow.now_us) & set(pending)
    counts = check_intake(flow.engine, ingested)
    if bad := bad_days(counts, config, claimed=claimed, stray=stray_days(fed, config)):
        return Outcome(left_out=bad, release=lambda: ingested.drop(flow.engine))
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
        put_in_force=lambda: _put_in_force(flow, key, ingested.raw_ids),
    )


def _put_in_force(flow: Flow, key: bytes, raw_ids: dict[str, str]) -> None:
    """Settle under which key users are hashed, and keep whose the keys are."""
    settle_user_key(key, flow.ledger)
    if flow.shop.config.shop.keep_raw_ids and raw_ids:
        flow.raw_ids.remember(raw_ids)


def _events_before(flow: Flow, pending: Sequence[str]) -> ibis.Table | None:
    """Return the events of the days before the pending ones that are not pending themselves."""
    parts = flow.ledger.parts(EVENTS.name)
    before = sorted({next_day(day, -1) for day in pending} - {*pending})
    known = [day for day in before if day in parts and parts[day].rows]
    return flow.read(EVENTS, known) if known else None


def _by_event_name(counts: Iterable[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Add counts up to event name -> `events_<outcome>` and `rows_<outcome>` (with the reason where there is one)."""
    total: dict[str, dict[str, int]] = {}
    for row in counts:
        sums = total.setdefault(row["event_name"], {})
        what = row["outcome"] + (f":{row['reason']}" if row["reason"] else "")
        for unit in ("events", "rows"):
            sums[f"{unit}_{what}"] = sums.get(f"{unit}_{what}", 0) + row[f"num_{unit}"]
    return total


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
