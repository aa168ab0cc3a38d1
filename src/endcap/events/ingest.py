"""From what was read to events, quarantine and counts: the room's main function."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import ibis

from endcap.core.tables import EVENTS
from endcap.engines.contracts import under_contract
from endcap.engines.port import Engine
from endcap.events.config import EventsConfig
from endcap.events.counts import count_outcomes, outcome_of
from endcap.events.deduplicate import identify_events
from endcap.events.fold import final_event_name, folded_rows
from endcap.events.midnight import copies_over_midnight, edges, near_midnight, twins_over_midnight
from endcap.events.pseudonymise import pseudonymise
from endcap.events.quarantine import quarantined
from endcap.events.reading import Reading
from endcap.events.validate import judge_events, judge_rows, with_plain_names

__all__ = ["Ingested", "ingest"]


@dataclass(frozen=True)
class Ingested:
    """What came of some days.

    Args:
        events: Under the contract EVENTS, in no order; not computed yet: materialise or stream it.
        quarantine: Under the contract QUARANTINE, likewise.
        counts: Columns COUNTS_COLUMNS, likewise; small.
        identified: The events themselves, keyed, identified and judged, materialised.
        raw_ids: Keyed hash -> `user:` or `device:` and the raw id, of all that was read: for `stores.raw_ids` alone.
        held: All materialised tables that the three stand on; `drop` lets go of them.
    """

    events: ibis.Table
    quarantine: ibis.Table
    counts: ibis.Table
    identified: ibis.Table
    raw_ids: dict[str, str] = field(repr=False)
    held: tuple[ibis.Table, ...]

    def drop(self, engine: Engine) -> None:
        """Let go of what the results stand on; they cannot be read any more."""
        for table in self.held:
            engine.drop(table)


def ingest(
    engine: Engine, reading: Reading, config: EventsConfig, *, key: bytes, now_us: int, days: Sequence[str]
) -> Ingested:
    """Turn what was read into events.

    Args:
        engine: Computes what is needed more than once.
        reading: All files that hold rows of the days, and the events of the days before them.
        config: `[events]`.
        key: The shop's key, 32 bytes.
        now_us: The present instant; events later than it (and the tolerance) are quarantined.
        days: The UTC days wanted; rows of other days are left out.
    """
    events, rows, raw_ids = _judged(engine, reading, config, key=key, now_us=now_us, days=days)
    within_days = engine.materialise(identify_events(events, rows, config.site))
    engine.drop(events)
    folded_within = engine.materialise(folded_rows(_keepable(within_days, rows), config))
    identified, folded = _over_midnight(engine, (within_days, rows, folded_within), reading.before, config)
    settled = _settled(identified, rows, folded)
    by_event = engine.materialise(
        settled.group_by(["event_no", "outcome", "outcome_reason"])
        .aggregate(num_rows=settled.count())
        .rename(reason="outcome_reason")
    )
    kept = settled.filter(settled.outcome == "kept")
    return Ingested(
        events=_under_contract(kept, config),
        quarantine=quarantined(identified, rows),
        counts=count_outcomes(identified, rows, by_event),
        identified=identified,
        raw_ids=raw_ids,
        held=(identified, rows, folded, by_event),
    )


def _judged(
    engine: Engine, reading: Reading, config: EventsConfig, *, key: bytes, now_us: int, days: Sequence[str]
) -> tuple[ibis.Table, ibis.Table, dict[str, str]]:
    """Return judged events with keys, and judged rows, both materialised, of the days only; and whose the keys are."""
    # As read first: judged in one go, each reason repeats how its columns are read: 120 kB of SQL.
    as_read = engine.materialise(with_plain_names(reading.events, config))
    judged = judge_events(as_read, config, now_us=now_us)
    raw = engine.materialise(judged.filter(judged.date_partition.isin(list(days))))
    engine.drop(as_read)
    rows = engine.materialise(judge_rows(reading.rows, raw, config))
    keyed, raw_ids = pseudonymise(engine, raw, key)
    events = engine.materialise(keyed)
    engine.drop(raw)
    return events, rows, raw_ids


def _keepable(events: ibis.Table, rows: ibis.Table) -> ibis.Table:
    """Return the rows that folds look at: good, and of the first copy of their event."""
    first = events.filter(events.is_first).select(
        "event_no", "event_name", "at_us", "user_key", "device_key", "source_session_id", "date_partition"
    )
    good = rows.filter(rows.reason.isnull() & rows.ignored.isnull() & ~rows.is_duplicate)
    return first.join(good.select("event_no", "item_ordinal", "item_id"), "event_no")


def _over_midnight(
    engine: Engine, found: tuple[ibis.Table, ibis.Table, ibis.Table], before: ibis.Table | None, config: EventsConfig
) -> tuple[ibis.Table, ibis.Table]:
    """Return the events without what is a copy of the day before, and what is folded with the twins of the day before.

    Args:
        engine: Computes the few rows about midnight.
        found: Identified events, their rows, and what is folded within a day: all materialised; the first and the last
            of them are let go.
        before: Events of days before that are not among the days.
        config: The folds.
    """
    events, rows, folded = found
    near = events.filter(near_midnight(events.at_us) & events.is_first)
    settled = _settled(near, rows.semi_join(near, "event_no"), folded)
    kept = engine.materialise(settled.filter(settled.outcome == "kept"))
    heads, tails = edges(kept, before, config)
    copies = copies_over_midnight(heads, tails).mutate(copy_mark=ibis.literal(value=True))
    marked = events.left_join(copies, "event_no")
    is_first = marked.is_first & marked.copy_mark.isnull()
    identified = engine.materialise(marked.mutate(is_first=is_first).select(events.columns))
    both = engine.materialise(folded.union(twins_over_midnight(heads, tails, config)).distinct())
    for held in (events, folded, kept):
        engine.drop(held)
    return identified, both


def _settled(events: ibis.Table, rows: ibis.Table, folded: ibis.Table) -> ibis.Table:
    """Return every row with its event and what becomes of it."""
    verdicts = events.rename(event_reason="reason", event_ignored="ignored").drop("detail", "content", "row")
    joined = verdicts.join(rows.drop("detail", "row"), "event_no")
    marks = folded.mutate(fold_mark=ibis.literal(value=True))
    marked = joined.left_join(marks, ["event_no", "item_ordinal"])
    marked = marked.mutate(is_folded=marked.fold_mark.fill_null(ibis.literal(value=False))).drop(
        "event_no_right", "item_ordinal_right", "fold_mark"
    )
    outcome, reason = outcome_of(marked)
    return marked.mutate(outcome=outcome, outcome_reason=reason)


def _under_contract(kept: ibis.Table, config: EventsConfig) -> ibis.Table:
    told = kept.mutate(
        site=ibis.literal(config.site),
        event_name=final_event_name(kept.event_name, config),
        received_us=ibis.coalesce(kept.received_us, kept.at_us),
    )
    return under_contract(told, EVENTS)
