"""Items and their versions: a pure function of what feeds and updates said and of what each day's events say.

- A version begins at the start of the UTC day of the feed, the update or the events that say something new, or when a
  sale begins or ends. Of one day events count first, then feeds, then updates: the later one counts.
- A feed says everything of its items, an update its prices or stock. A price told anew ends the sale that was told with
  the one before. Where no feed tells a title or a price, the last day whose events told one does.
- An item that a feed leaves out after something was said of it is `out_of_stock` from that day on, until a feed or an
  update says otherwise; so is an item that only events name, if there is any feed.
- The first feed says what held before it, back to instant 0; so does what is first said of an item.
- An update of an item that no feed and no event names says nothing.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import ibis

from endcap.core.clock import DAY_US
from endcap.core.tables import CATALOGUE, ITEMS
from endcap.engines.contracts import under_contract
from endcap.events.config import EventsConfig
from endcap.events.feed import FEED_COLUMNS

__all__ = ["build_items"]

_TEXTS = ("title", "category", "brand", "link", "image_link")
_PRICE = ("price_minor", "currency")
_SALE = ("sale_price_minor", "sale_currency", "sale_from_us", "sale_to_us")
_OWN, _ANY = ("own_price", "own_currency"), ("any_price", "any_currency")
_SEEN = ("seen_title", *_OWN, *_ANY)
_COLUMNS = ("item_id", "from_us", "ordinal", "kind", *FEED_COLUMNS[1:], *_SEEN)
_VERSION = tuple(name for name in ITEMS.names if name not in ("item_id", "valid_from_us", "valid_to_us"))
_ORDER = ("from_us", "ordinal", "kind")
_FIRST = -2  # before all that the catalogue says
_NEXT = -1


def build_items(catalogue: ibis.Table, mentions: ibis.Table, config: EventsConfig, *, until_us: int) -> ibis.Table:
    """Return all versions of all items; those of one item tile time from instant 0 on.

    Args:
        catalogue: Under the contract CATALOGUE, all partitions up to the last day.
        mentions: Under the contract ITEM_MENTIONS, all days up to the last one.
        config: `[events]`: prices in the default currency are taken before others.
        until_us: The end of the last day: a sale that begins or ends later is not yet known.
    """
    told = _reaching_back(_of_known_items(catalogue, mentions))
    statements = _union([_of_catalogue(told), _gone(told), _sales(told, until_us), _of_events(mentions, config)])
    known = _at_each_instant(_carried(statements))
    return under_contract(_versions(_said(known, catalogue)), ITEMS).order_by(list(ITEMS.key))


def _of_known_items(catalogue: ibis.Table, mentions: ibis.Table) -> ibis.Table:
    """Leave out updates of items that no feed and no event names: a price alone makes no product."""
    feeds = catalogue.filter(catalogue.kind == "feed").select("item_id")
    known = feeds.union(mentions.select("item_id")).distinct()
    return catalogue.filter(catalogue.kind == "feed").union(
        catalogue.filter(catalogue.kind != "feed").semi_join(known, "item_id")
    )


def _reaching_back(catalogue: ibis.Table) -> ibis.Table:
    """Put the first feed once more at instant 0."""
    feeds = catalogue.filter(catalogue.kind == "feed")
    first = feeds.filter((feeds.from_us == feeds.from_us.min().as_scalar()) & (feeds.from_us > 0))
    return catalogue.union(first.mutate(from_us=ibis.literal(0, "int64")).select(CATALOGUE.names))


def _of_catalogue(told: ibis.Table) -> ibis.Table:
    return _filled(told.mutate(ordinal=told.ordinal.cast("int64")))


def _gone(told: ibis.Table) -> ibis.Table:
    """Say of each item that the next feed after something was said of it does not name it, where that is so."""
    feeds = told.filter(told.kind == "feed").select("item_id", "from_us").distinct()
    days = told.select("from_us").distinct()
    feed_days = feeds.select(feed_us="from_us").distinct()
    later = days.join(feed_days, days.from_us < feed_days.feed_us)
    following = later.group_by("from_us").aggregate(feed_us=later.feed_us.min())
    expected = told.select("item_id", "from_us").join(following, "from_us").select("item_id", from_us="feed_us")
    gone = expected.distinct().anti_join(feeds, ["item_id", "from_us"])
    return _filled(gone.mutate(ordinal=_number(_NEXT), kind=ibis.literal("gone"), availability=_text("out_of_stock")))


def _sales(told: ibis.Table, until_us: int) -> ibis.Table:
    """Name the instants at which a sale begins or ends: nothing is said then, and prices are other ones."""
    ends = [told.select("item_id", "from_us", at_us=name) for name in ("sale_from_us", "sale_to_us")]
    turns = _union(ends).filter(lambda turn: (turn.at_us > turn.from_us) & (turn.at_us < until_us))
    turns = turns.select("item_id", from_us="at_us").distinct()
    return _filled(turns.mutate(ordinal=_number(_NEXT), kind=ibis.literal("sale")))


def _of_events(mentions: ibis.Table, config: EventsConfig) -> ibis.Table:
    """Say what events said of items where it is not what they said the time before: few days of all."""
    is_own = mentions.currency == _text(config.default_currency or "")
    told = mentions.select(
        "item_id",
        from_us=mentions.first_us - mentions.first_us % DAY_US,
        ordinal=_number(_FIRST),
        kind=ibis.literal("events"),
        seen_title=mentions.title,
        own_price=ibis.ifelse(is_own, mentions.price_minor, ibis.null("int64")),
        own_currency=ibis.ifelse(is_own, mentions.currency, ibis.null("string")),
        any_price=mentions.price_minor,
        any_currency=mentions.currency,
    )
    in_time = ibis.window(group_by="item_id", order_by="from_us")
    before = told.mutate(
        is_first=ibis.row_number().over(in_time) == 0,
        **{f"old_{name}": told[name].lag().over(in_time) for name in _SEEN},
    )
    return _filled(before.filter(before.is_first | ~_same(before, _SEEN)).select(told.columns))


def _filled(table: ibis.Table) -> ibis.Table:
    """Put in what statements of other kinds tell and this one does not."""
    numbers = ("price_minor", *_SALE[:1], *_SALE[2:], "own_price", "any_price")
    missing = [name for name in _COLUMNS if name not in table.columns]
    return table.mutate(**{name: ibis.null("int64" if name in numbers else "string") for name in missing}).select(
        _COLUMNS
    )


def _carried(told: ibis.Table) -> ibis.Table:
    """Carry what was said of an item to all that is said of it later, until it is said anew.

    A feed that leaves something out says that there is none. Whatever says nothing of a column has a missing value
    there, so what stands in front of the first that says something needs no care.
    """
    is_feed = told.kind == "feed"
    has_price, has_sale = told.price_minor.notnull(), told.sale_price_minor.notnull()
    parts: dict[str, tuple[Any, Sequence[str]]] = {
        "texts": (is_feed, _TEXTS),
        "price": (is_feed | has_price, _PRICE),
        "sale": (is_feed | has_price | has_sale, _SALE),
        "stock": (is_feed | told.availability.notnull(), ("availability",)),
        "seen": (told.seen_title.notnull(), ("seen_title",)),
        "own": (told.own_price.notnull(), _OWN),
        "any": (told.any_price.notnull(), _ANY),
        "origin": (told.kind != "events", ()),
    }
    so_far = ibis.cumulative_window(group_by="item_id", order_by=_ORDER)
    counted = told.mutate(
        **{f"times_{part}": says.cast("int64").sum().over(so_far) for part, (says, _) in parts.items()}
    )
    carried: dict[str, Any] = {}
    for part, (_, columns) in parts.items():
        since = ibis.window(group_by=["item_id", f"times_{part}"], order_by=_ORDER)
        carried |= {name: counted[name].first(include_null=True).over(since) for name in columns}
    origin = ibis.ifelse(counted.times_origin > 0, "catalogue", "events")
    return counted.mutate(**carried, origin=origin)


def _at_each_instant(carried: ibis.Table) -> ibis.Table:
    """Keep of what is known at an instant the last word."""
    last_first = [ibis.desc("ordinal"), ibis.desc("kind")]
    place = ibis.row_number().over(group_by=["item_id", "from_us"], order_by=last_first)
    return carried.mutate(place=place).filter(lambda ranked: ranked.place == 0)


def _said(known: ibis.Table, catalogue: ibis.Table) -> ibis.Table:
    """Return what is in force from each instant on: item_id, from_us and the columns of a version."""
    begun = known.sale_from_us.isnull() | (known.sale_from_us <= known.from_us)
    is_over = known.sale_to_us.notnull() & (known.sale_to_us <= known.from_us)
    on_sale = known.sale_price_minor.notnull() & begun & ~is_over
    has_price, has_own = known.price_minor.notnull(), known.own_price.notnull()
    price, currency = (
        ibis.cases((on_sale, sale), (has_price, told), (has_own, own), else_=seen)
        for sale, told, own, seen in zip(
            *[[known[name] for name in names] for names in (_SALE[:2], _PRICE, _OWN, _ANY)], strict=True
        )
    )
    # Anybody may send an event with any item: where there is a feed, what it does not name is not for sale.
    has_feed = (catalogue.kind == "feed").cast("int64").max().as_scalar() == 1
    stock = ibis.ifelse(has_feed.fill_null(ibis.literal(value=False)), "out_of_stock", "in_stock")
    told = known.mutate(
        title=ibis.coalesce(known.title, known.seen_title, known.item_id),
        price_minor=price,
        currency=currency,
        availability=ibis.coalesce(known.availability, stock),
    )
    return told.select("item_id", "from_us", *_VERSION)


def _versions(said: ibis.Table) -> ibis.Table:
    """Keep the instants at which something changes, the first one at 0, each up to the next."""
    in_time = ibis.window(group_by="item_id", order_by="from_us")
    before = said.mutate(
        is_first=ibis.row_number().over(in_time) == 0,
        **{f"old_{name}": said[name].lag().over(in_time) for name in _VERSION},
    )
    changed = before.filter(before.is_first | ~_same(before, _VERSION))
    return changed.mutate(
        valid_from_us=ibis.ifelse(changed.is_first, _number(0), changed.from_us),
        valid_to_us=changed.from_us.lead().over(in_time),
    )


def _same(rows: ibis.Table, names: Sequence[str]) -> Any:
    """Return whether all of some columns are what their `old_` ones are."""
    return reduce(lambda left, right: left & right, [rows[name].identical_to(rows[f"old_{name}"]) for name in names])


def _union(tables: Sequence[ibis.Table]) -> ibis.Table:
    return reduce(lambda left, right: left.union(right), tables)


def _number(value: int) -> Any:
    return ibis.literal(value, "int64")


def _text(value: str) -> Any:
    return ibis.literal(value, "string")
