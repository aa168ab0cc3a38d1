"""One id for each event, and the copies of an event that do not count.

An event without an id of its own gets a digest of what it says: two events equal in user, instant, name, session, order
and items are one event that was exported twice. The digest is made after hashing, so no raw id can be tried against it.
"""

from typing import Any

import ibis

__all__ = ["identify_events", "row_content"]

_BETWEEN = "\x1f"
_HEX = "^[0-9a-f]{32}$"


def row_content(rows: ibis.Table) -> Any:
    """Return what a row says as text, led by its place in the event, so that sorting restores the order."""
    whole = [rows.price_minor, rows.quantity, rows.place]
    said = [rows.item_id, rows.item_variant, *[number.cast("string") for number in whole], rows.detail]
    place = rows.item_ordinal.cast("string").lpad(6, "0")
    return place + _BETWEEN + _joined(said)


def identify_events(events: ibis.Table, rows: ibis.Table, site: str) -> ibis.Table:
    """Give events their id and mark the first copy of each.

    Args:
        events: Judged and keyed events.
        rows: Their judged rows.
        site: The shop's site.

    Returns:
        The events with `event_id` (32 hex digits), `content` (what the event itself says, keyed) and `is_first`: among
        the copies of a UTC day with at least one good row, the first by file and row. Bad events are never first. An
        event all of whose rows are ignored is ignored itself.
    """
    good = (rows.reason.isnull() & rows.ignored.isnull()).cast("int64")
    said = ibis.ifelse(rows.is_duplicate, ibis.null("string"), row_content(rows))
    of_rows = rows.group_by("event_no").aggregate(
        num_good=good.sum(),
        all_ignored=ibis.ifelse(rows.ignored.count() == rows.count(), rows.ignored.min(), ibis.null("string")),
        items=said.collect().sort().join(_BETWEEN),
    )
    joined = events.join(of_rows, "event_no")
    joined = joined.mutate(ignored=ibis.coalesce(joined.ignored, joined.all_ignored)).drop("all_ignored")
    content = _joined(
        [
            joined.user_key,
            joined.device_key,
            joined.at_us.cast("string"),
            joined.event_name_read,
            joined.source_session_id,
            joined.transaction_id,
            joined.search_term,
            joined.recommendation_id,
            joined.value_minor.cast("string"),
        ]
    )
    digest = (content + _BETWEEN + joined["items"]).hexdigest("sha256").left(32)
    known = _id_of_source(joined.source_event_id, site)
    identified = joined.mutate(event_id=ibis.coalesce(known, digest), content=content).drop("items")
    counts = identified.reason.isnull() & identified.ignored.isnull() & (identified.num_good > 0)
    earlier = ibis.row_number().over(
        group_by=[identified.event_id, identified.date_partition, counts], order_by=identified.event_no
    )
    return identified.mutate(is_first=counts & (earlier == 0)).drop("num_good")


def _id_of_source(given: Any, site: str) -> Any:
    """Return a source's id as 32 hex digits: a UUID as it is, any other text digested."""
    plain = given.lower().replace("-", "")
    digest = (ibis.literal(f"event_id{_BETWEEN}{site}{_BETWEEN}") + given).hexdigest("sha256").left(32)
    return ibis.ifelse(plain.re_search(_HEX), plain, digest)


def _joined(texts: list[Any]) -> Any:
    return ibis.literal(_BETWEEN).join([text.fill_null("") for text in texts])
