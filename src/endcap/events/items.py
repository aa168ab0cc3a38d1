"""Items and their versions: the feed first, what events say where it is silent, and since when each version holds."""

from functools import reduce
from typing import Any

import ibis

from endcap.core.tables import ITEMS
from endcap.engines.contracts import under_contract
from endcap.events.config import EventsConfig
from endcap.events.feed import FEED_COLUMNS

__all__ = ["build_items", "items_seen"]

_SAID = (*FEED_COLUMNS[1:], "origin")
_STRING = ibis.null("string")


def build_items(
    catalogue: ibis.Table | None,
    events: ibis.Table,
    previous: ibis.Table | None,
    config: EventsConfig,
    *,
    as_of_us: int,
) -> ibis.Table:
    """Return all versions of all items.

    An item's first version holds from instant 0. Where what is known differs from the version in force, that version
    ends at `as_of_us` and a new one begins; where nothing differs, the rows are the same as before. An item that has
    gone from the feed, or that only events name beside a feed, is `out_of_stock`: known, and not offered.

    Args:
        catalogue: Columns FEED_COLUMNS, one row an item; None without a feed.
        events: Under the contract EVENTS, all days that should count.
        previous: Under the contract ITEMS, what was known before; None the first time.
        config: `[events]`.
        as_of_us: When the new knowledge comes into force, microseconds UTC; not before any version of `previous`.
    """
    wanted = _wanted(catalogue, items_seen(events, config), _in_force(previous))
    if previous is None:
        versions = wanted.mutate(valid_from_us=ibis.literal(0, "int64"), valid_to_us=ibis.null("int64"))
    else:
        versions = _versions(wanted, previous, as_of_us)
    return under_contract(versions, ITEMS).order_by(list(ITEMS.key))


def items_seen(events: ibis.Table, config: EventsConfig) -> ibis.Table:
    """Return what events say about items: title, price_minor (median) and currency, one row an item.

    The title is the one seen most often. The price is the median in one currency: the default one, else the one seen
    most often; ties go to the name that comes first.
    """
    rows = events.filter(events.item_id.notnull())
    titles = rows.group_by(["item_id", "item_name"]).aggregate(num=rows.count())
    title = _first(titles.filter(titles.item_name.notnull()), [ibis.desc("num"), "item_name"], ["item_id", "item_name"])
    priced = rows.filter(rows.price_minor.notnull() & rows.currency.notnull())
    prices = priced.group_by(["item_id", "currency"]).aggregate(
        num=priced.count(), price_minor=priced.price_minor.median().floor().cast("int64")
    )
    is_default = (prices.currency == ibis.literal(config.default_currency, "string")).fill_null(
        ibis.literal(value=False)
    )
    ranked = prices.mutate(other=(~is_default).cast("int64"))
    price = _first(ranked, ["other", ibis.desc("num"), "currency"], ["item_id", "currency", "price_minor"])
    ids = rows.select("item_id").distinct()
    told = ids.left_join(title, "item_id").drop("item_id_right").left_join(price, "item_id").drop("item_id_right")
    return told.select("item_id", "price_minor", "currency", title=ibis.coalesce(told.item_name, told.item_id))


def _first(table: ibis.Table, order: list[Any], columns: list[str]) -> ibis.Table:
    place = ibis.row_number().over(group_by="item_id", order_by=order)
    return table.mutate(place=place).filter(lambda ranked: ranked.place == 0).select(columns)


def _in_force(previous: ibis.Table | None) -> ibis.Table | None:
    return None if previous is None else previous.filter(previous.valid_to_us.isnull())


def _wanted(catalogue: ibis.Table | None, seen: ibis.Table, known: ibis.Table | None) -> ibis.Table:
    """Return what should be in force: one row an item, item_id and _SAID."""
    parts = []
    others = seen
    if catalogue is not None:
        parts.append(_from_feed(catalogue, seen))
        others = others.anti_join(catalogue, "item_id")
    if known is not None:
        from_feed = known.filter(known.origin == "catalogue")
        others = others.anti_join(from_feed, "item_id")
        gone = from_feed if catalogue is None else from_feed.anti_join(catalogue, "item_id")
        availability = gone.availability if catalogue is None else ibis.literal("out_of_stock")
        parts.append(gone.mutate(availability=availability).select("item_id", *_SAID))
    silent = dict.fromkeys(("category", "brand", "link", "image_link"), _STRING)
    # Anybody may send an event with any item: where there is a feed, what it does not name is not for sale.
    stock = ibis.literal("in_stock" if catalogue is None else "out_of_stock")
    from_events = others.mutate(**silent, availability=stock, origin=ibis.literal("events"))
    parts.append(from_events.select("item_id", *_SAID))
    return reduce(lambda left, right: left.union(right), parts)


def _from_feed(catalogue: ibis.Table, seen: ibis.Table) -> ibis.Table:
    priced = seen.filter(seen.price_minor.notnull()).select(
        "item_id", seen_price="price_minor", seen_currency="currency"
    )
    joined = catalogue.left_join(priced, "item_id").drop("item_id_right")
    has_price = joined.price_minor.notnull()
    filled = joined.mutate(
        price_minor=ibis.coalesce(joined.price_minor, joined.seen_price),
        currency=ibis.ifelse(has_price, joined.currency, joined.seen_currency),
        origin=ibis.literal("catalogue"),
    )
    return filled.select("item_id", *_SAID)


def _versions(wanted: ibis.Table, previous: ibis.Table, as_of_us: int) -> ibis.Table:
    """Close what has changed and open what is new; everything else stays as it is."""
    columns = ITEMS.names
    ended = previous.filter(previous.valid_to_us.notnull())
    in_force = previous.filter(previous.valid_to_us.isnull())
    before = in_force.select("item_id", "valid_from_us", **{f"old_{name}": in_force[name] for name in _SAID})
    joined = wanted.left_join(before, "item_id").drop("item_id_right")
    same = reduce(
        lambda left, right: left & right, [joined[name].identical_to(joined[f"old_{name}"]) for name in _SAID]
    )
    is_new = joined.valid_from_us.isnull()
    fresh = joined.filter(is_new | ~same)
    # A version that began at as_of_us is replaced: it was never in force before this run.
    opened = fresh.select(
        "item_id",
        *_SAID,
        valid_from_us=ibis.ifelse(
            fresh.valid_from_us.isnull(),
            ibis.literal(0, "int64"),
            ibis.ifelse(fresh.valid_from_us < as_of_us, ibis.literal(as_of_us, "int64"), fresh.valid_from_us),
        ),
        valid_to_us=ibis.null("int64"),
    )
    unchanged = in_force.anti_join(fresh, "item_id")
    closed = in_force.semi_join(fresh, "item_id").filter(in_force.valid_from_us < as_of_us)
    closed = closed.mutate(valid_to_us=ibis.literal(as_of_us, "int64"))
    parts = [ended.select(columns), unchanged.select(columns), closed.select(columns), opened.select(columns)]
    return reduce(lambda left, right: left.union(right), parts)
