"""What became of every row that was read, by day and event name.

read = kept + folded + deduplicated + quarantined + ignored, for events and for rows.
"""

from typing import Any

import ibis

__all__ = ["COUNTS_COLUMNS", "OUTCOMES", "count_outcomes", "outcome_of"]

OUTCOMES = ("kept", "folded", "deduplicated", "quarantined", "ignored")
"""What can become of a row, best first. An event of several rows counts as the best that became of one of them."""

COUNTS_COLUMNS = ("date_partition", "event_name", "outcome", "reason", "num_events", "num_rows")
"""Columns of the counts. event_name is the source's own ("" where it has none); outcome is "read" or one of OUTCOMES;
reason is "" but for quarantined and ignored; an event without items counts one row."""


def outcome_of(rows: ibis.Table) -> tuple[Any, Any]:
    """Return the outcome and the reason of rows that carry their event's verdicts.

    Args:
        rows: `event_ignored`, `event_reason`, `is_first`, `ignored`, `reason`, `is_duplicate`, `is_folded`.
    """
    ignored = ibis.coalesce(rows.event_ignored, rows.ignored)
    quarantined = ibis.coalesce(rows.event_reason, rows.reason)
    outcome = ibis.cases(
        (ignored.notnull(), "ignored"),
        (quarantined.notnull(), "quarantined"),
        (rows.is_duplicate | ~rows.is_first, "deduplicated"),
        (rows.is_folded, "folded"),
        else_="kept",
    )
    return outcome, ibis.coalesce(ignored, quarantined, ibis.literal(""))


def count_outcomes(events: ibis.Table, rows: ibis.Table, by_event: ibis.Table) -> ibis.Table:
    """Count events and rows.

    Args:
        events: Events that were read: event_no, date_partition, event_name_read.
        rows: Rows that were read: event_no.
        by_event: One row for each event, outcome and reason: event_no, outcome, reason, num_rows.

    Returns:
        Columns COUNTS_COLUMNS, ascending. `read` is counted from events and rows, not from the outcomes.
    """
    named = events.select("event_no", "date_partition", event_name=events.event_name_read.fill_null(""))
    num_read = rows.group_by("event_no").aggregate(num_rows=rows.count())
    read = (
        named.left_join(num_read, "event_no")
        .drop("event_no_right")
        .mutate(outcome=ibis.literal("read"), reason=ibis.literal(""), is_best=1)
    )
    ranked = by_event.mutate(rank=ibis.cases(*[(by_event.outcome == name, at) for at, name in enumerate(OUTCOMES)]))
    place = ibis.row_number().over(group_by=ranked.event_no, order_by=[ranked["rank"], ranked.reason])
    best = ranked.mutate(is_best=(place == 0).cast("int64")).join(named, "event_no")
    columns = ["date_partition", "event_name", "outcome", "reason", "num_rows", "is_best"]
    both = read.mutate(is_best=ibis.literal(1, "int64")).select(columns).union(best.select(columns))
    grouped = both.group_by(["date_partition", "event_name", "outcome", "reason"])
    counted = grouped.aggregate(num_events=_whole_sum(both.is_best), num_rows=_whole_sum(both.num_rows))
    return counted.select(COUNTS_COLUMNS).order_by(list(COUNTS_COLUMNS[:4]))


def _whole_sum(values: Any) -> Any:
    # DuckDB sums int64 into 128 bits, and Ibis, which takes the sum for an int64, leaves a plain cast to int64 out.
    return values.sum().cast("decimal(38, 0)").cast("int64")
