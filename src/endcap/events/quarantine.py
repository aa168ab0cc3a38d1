"""Rejected rows under the contract of `quarantine`: where they stood, why, and a digest; never a raw id."""

from typing import Any

import ibis

from endcap.core.tables import QUARANTINE
from endcap.engines.contracts import under_contract
from endcap.events.deduplicate import row_content

__all__ = ["quarantined"]


def quarantined(events: ibis.Table, rows: ibis.Table) -> ibis.Table:
    """Return one row for each bad event (item_ordinal 0), and one for each bad item of a good event, in no order.

    Args:
        events: Judged, keyed and identified events.
        rows: Their judged rows.
    """
    bad_events = events.filter(events.reason.notnull() & events.ignored.isnull())
    whole = _rejected(bad_events, bad_events.row, ibis.literal(0), ibis.null("string"), bad_events.content)
    good_events = events.filter(events.reason.isnull() & events.ignored.isnull())
    bad_rows = rows.filter(rows.reason.notnull() & rows.ignored.isnull())
    joined = good_events.drop("reason", "detail", "row").join(bad_rows.drop("ignored"), "event_no")
    content = joined.content + row_content(joined)
    single = _rejected(joined, joined.row, joined.item_ordinal, joined.item_id, content)
    return under_contract(whole.union(single), QUARANTINE)


def _rejected(table: ibis.Table, row: Any, item_ordinal: Any, item_id: Any, content: Any) -> ibis.Table:
    values = {
        "date_partition": table.date_partition,
        "reason": table.reason,
        "detail": ibis.coalesce(table.detail, table.reason),
        "source_file": table.file,
        "source_row": row,
        "item_ordinal": item_ordinal.cast("int32"),
        "event_name": table.event_name_read,
        "at_us": table.at_us,
        "item_id": item_id,
        "user_key": table.user_key,
        "row_digest": content.hexdigest("sha256").left(32),
    }
    return table.select(**values)
