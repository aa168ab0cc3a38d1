"""Days are counted from the first of August: what is said on day 3 holds from the start of 2026-08-04."""

import itertools
from typing import NamedTuple

import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from endcap.core.clock import DAY_US, day_of, day_start_us
from endcap.core.tables import CATALOGUE, ITEM_MENTIONS, ITEMS
from endcap.engines.contracts import check_contract
from endcap.engines.port import arrow_schema
from endcap.events.config import EventsConfig
from endcap.events.items import build_items

FIRST = day_start_us("2026-08-01")
CONFIG = EventsConfig(source="drop", default_currency="USD")
few = settings(max_examples=4, deadline=None, derandomize=True, phases=[Phase.generate])


class Feed(NamedTuple):
    """A line of a feed, of the day `day` (None: it holds from instant 0)."""

    day: int | None
    item: str
    price: int | None = None
    title: str | None = "title"
    availability: str | None = "in_stock"
    sale: int | None = None
    sale_from: float | None = None
    sale_to: float | None = None


class Update(NamedTuple):
    day: int
    item: str
    price: int | None = None
    availability: str | None = None
    sale: int | None = None
    ordinal: int = 5


class Mention(NamedTuple):
    day: int
    item: str
    price: int | None = None
    title: str | None = None
    currency: str = "USD"


def at(day):
    return None if day is None else FIRST + round(day * DAY_US)


def said(line):
    from_us = 0 if line.day is None else at(line.day)
    row = dict.fromkeys(CATALOGUE.names) | {
        "date_partition": "seen-1970-01-01" if line.day is None else day_of(from_us),
        "item_id": line.item,
        "ordinal": getattr(line, "ordinal", 0),
        "kind": type(line).__name__.lower(),
        "from_us": from_us,
        "price_minor": line.price,
        "currency": None if line.price is None else "USD",
        "sale_price_minor": line.sale,
        "sale_currency": None if line.sale is None else "USD",
        "availability": line.availability,
    }
    if isinstance(line, Feed):
        row |= {"title": line.title, "sale_from_us": at(line.sale_from), "sale_to_us": at(line.sale_to)}
    return row


def mentioned(line):
    return {
        "date_partition": day_of(at(line.day)),
        "item_id": line.item,
        "first_us": at(line.day) + 7_000_000,
        "title": line.title,
        "title_rows": int(line.title is not None),
        "price_minor": line.price,
        "currency": None if line.price is None else line.currency,
        "price_rows": int(line.price is not None),
    }


@pytest.fixture(scope="module")
def build(engine):
    def build(*lines, until=30):
        of_feeds = [said(line) for line in lines if not isinstance(line, Mention)]
        of_events = [mentioned(line) for line in lines if isinstance(line, Mention)]
        catalogue = engine.read_arrow(pa.Table.from_pylist(of_feeds, schema=arrow_schema(CATALOGUE)))
        mentions = engine.read_arrow(pa.Table.from_pylist(of_events, schema=arrow_schema(ITEM_MENTIONS)))
        items = engine.materialise(build_items(catalogue, mentions, CONFIG, until_us=at(until)))
        check_contract(engine, items, ITEMS)
        rows = engine.to_arrow(items.order_by(list(ITEMS.key))).to_pylist()
        engine.drop(items)
        return rows

    return build


def told(rows, *names):
    """Each version as item, first day ("" from the beginning), the day after the last ("" in force), and columns."""
    return [
        (
            row["item_id"],
            "" if row["valid_from_us"] == 0 else (row["valid_from_us"] - FIRST) / DAY_US,
            "" if row["valid_to_us"] is None else (row["valid_to_us"] - FIRST) / DAY_US,
            *(row[name] for name in names),
        )
        for row in rows
    ]


def test_a_version_ends_where_a_feed_says_something_new_and_goes_on_where_it_does_not(build):
    feeds = [
        Feed(day, item, price) for day, mug in ((0, 5), (1, 5), (2, 6)) for item, price in (("mug", mug), ("pen", 1))
    ]
    assert told(build(*feeds), "price_minor", "origin") == [
        ("mug", "", 2, 5, "catalogue"), ("mug", 2, "", 6, "catalogue"), ("pen", "", "", 1, "catalogue")]  # fmt: skip


def test_the_first_feed_says_what_held_before_it_and_an_update_before_it_counts_until_its_day(build):
    lines = [Feed(3, "mug", 5), Update(1, "mug", 7)]
    assert told(build(*lines), "price_minor") == [("mug", "", 1, 5), ("mug", 1, 3, 7), ("mug", 3, "", 5)]


def test_an_update_changes_what_it_says_and_the_next_feed_all(build):
    lines = [Feed(0, "mug", 5), Update(1, "mug", availability="out_of_stock"), Update(2, "mug", 4), Feed(3, "mug", 5)]
    assert told(build(*lines), "price_minor", "availability", "title") == [
        ("mug", "", 1, 5, "in_stock", "title"),
        ("mug", 1, 2, 5, "out_of_stock", "title"),
        ("mug", 2, 3, 4, "out_of_stock", "title"),
        ("mug", 3, "", 5, "in_stock", "title"),
    ]


def test_of_one_day_an_update_counts_after_the_feed_and_the_later_update_last(build):
    lines = [Update(0, "mug", 3, ordinal=7), Update(0, "mug", 4, "out_of_stock", ordinal=6), Feed(0, "mug", 5)]
    assert told(build(*lines), "price_minor", "availability")[-1] == ("mug", 0, "", 3, "out_of_stock")


def test_what_a_feed_leaves_out_is_out_of_stock_until_it_is_named_again(build):
    lines = [Feed(0, "mug", 5), Feed(0, "pen", 1), Feed(1, "pen", 1), Feed(2, "pen", 1), Feed(3, "mug", 5)]
    assert told(build(*lines), "availability", "title") == [
        ("mug", "", 1, "in_stock", "title"),
        ("mug", 1, 3, "out_of_stock", "title"),
        ("mug", 3, "", "in_stock", "title"),
        ("pen", "", 3, "in_stock", "title"),
        ("pen", 3, "", "out_of_stock", "title"),
    ]


def test_an_update_of_what_the_feed_leaves_out_counts_until_the_next_feed(build):
    lines = [
        Feed(0, "pen", 1),
        Feed(0, "mug", 5),
        Feed(1, "pen", 1),
        Update(2, "mug", None, "in_stock"),
        Feed(4, "pen", 1),
    ]
    assert told(build(*lines), "availability")[:4] == [
        ("mug", "", 1, "in_stock"),
        ("mug", 1, 2, "out_of_stock"),
        ("mug", 2, 4, "in_stock"),
        ("mug", 4, "", "out_of_stock"),
    ]


def test_a_feed_without_a_price_takes_the_last_that_events_told_until_then(build):
    lines = [Feed(0, "mug", None), Mention(1, "mug", 300), Mention(2, "mug"), Mention(3, "mug", 400), Feed(4, "mug", 9)]
    assert told(build(*lines), "price_minor", "currency") == [
        ("mug", "", 1, None, None),
        ("mug", 1, 3, 300, "USD"),
        ("mug", 3, 4, 400, "USD"),
        ("mug", 4, "", 9, "USD"),
    ]


def test_a_price_of_events_in_the_default_currency_counts_before_others_that_are_newer(build):
    lines = [Mention(0, "mug", 5, currency="EUR"), Mention(1, "mug", 7), Mention(2, "mug", 6, currency="EUR")]
    assert told(build(*lines), "price_minor", "currency") == [("mug", "", 1, 5, "EUR"), ("mug", 1, "", 7, "USD")]


def test_a_title_is_that_of_the_feed_then_that_of_events_then_the_id(build):
    lines = [Feed(0, "mug", 1, None), Mention(1, "mug", title="Mug"), Feed(2, "mug", 1, "A mug")]
    assert told(build(*lines), "title") == [("mug", "", 1, "mug"), ("mug", 1, 2, "Mug"), ("mug", 2, "", "A mug")]


def test_what_only_events_name_is_not_for_sale_beside_a_feed(build):
    names = [Mention(0, "mug", 900, "Mug"), Mention(0, "fake", 1, "Buy elsewhere")]
    beside = build(*names, Feed(0, "mug", 900))
    assert [(row["item_id"], row["availability"], row["origin"]) for row in beside] == [
        ("fake", "out_of_stock", "events"), ("mug", "in_stock", "catalogue")]  # fmt: skip
    assert {row["availability"] for row in build(*names)} == {"in_stock"}
    assert {row["availability"] for row in build(*names, Update(0, "mug", 5))} == {"in_stock"}


def test_a_sale_is_the_price_from_its_first_instant_to_its_last(build):
    lines = [Feed(0, "mug", 10, sale=8, sale_from=1.5, sale_to=2.25)]
    assert told(build(*lines), "price_minor") == [("mug", "", 1.5, 10), ("mug", 1.5, 2.25, 8), ("mug", 2.25, "", 10)]
    assert told(build(*lines, until=2), "price_minor") == [("mug", "", 1.5, 10), ("mug", 1.5, "", 8)]
    assert told(build(Feed(0, "mug", 10, sale=8)), "price_minor") == [("mug", "", "", 8)]


def test_a_price_told_anew_ends_the_sale_and_a_sale_told_anew_keeps_the_price(build):
    lines = [Feed(0, "mug", 10, sale=8), Update(1, "mug", 11), Update(2, "mug", sale=7), Feed(3, "mug", 10)]
    assert [row["price_minor"] for row in build(*lines)] == [8, 11, 7, 10]


def test_a_feed_found_at_the_beginning_holds_from_there_and_one_of_a_day_from_that_day(build):
    lines = [Feed(None, "mug", 5), Feed(2, "mug", 6)]
    assert told(build(*lines), "price_minor") == [("mug", "", 2, 5), ("mug", 2, "", 6)]


def test_nothing_said_of_anything_makes_no_items(build):
    assert build() == []


items, days = st.sampled_from(["mug", "pen", "cup"]), st.integers(0, 4)
price = st.one_of(st.none(), st.integers(1, 3))
stock = st.sampled_from(["in_stock", "out_of_stock"])
span = st.one_of(st.none(), st.integers(0, 5))
feed = st.builds(Feed, days, items, price, st.sampled_from([None, "A", "B"]), stock, price, span, span)
update = st.builds(Update, days, items, price, st.one_of(st.none(), stock), price, st.sampled_from([5, 6]))
mention = st.builds(Mention, days, items, price, st.sampled_from([None, "A", "C"]), st.sampled_from(["USD", "EUR"]))


def place(line):
    """What can be said once only: kind, day, item, and the file of an update."""
    return type(line), line.day, line.item, getattr(line, "ordinal", 0)


worlds = st.lists(st.one_of(feed, update, mention), max_size=16, unique_by=place)


def held(lines, item, at_us):  # noqa: C901, PLR0912, PLR0915 - one statement after the other
    """What holds of an item at an instant, told one statement after the other: the oracle."""
    feeds = [line for line in lines if isinstance(line, Feed)]
    feed_days = sorted({line.day for line in feeds})
    now = {"title": None, "price": None, "sale": None, "stock": None, "origin": "events", "seen": None}
    seen_price = {}
    statements = []
    for line in lines:
        order = {Mention: -2, Feed: 0}.get(type(line), getattr(line, "ordinal", 0))
        statements.append((at(line.day), order, line))
        if isinstance(line, Feed) and line.day == feed_days[0]:
            statements.append((0, order, line))
    named = {(0 if us == 0 else line.day, line.item) for us, _, line in statements if isinstance(line, Feed)}
    statements += [(at(day), -1, None) for day in feed_days if (day, item) not in named]
    begun = False
    own = [us for us, _, line in statements if line is not None and line.item == item]
    at_us = max(at_us, min(own))
    for us, _, line in sorted(statements, key=lambda each: each[:2]):
        if us > at_us or (line is not None and line.item != item):
            continue
        if line is None:
            # Left out by a feed: it counts where something was said of the item before that the feed could name.
            if begun:
                now["stock"] = "out_of_stock"
        elif isinstance(line, Mention):
            now["seen"] = line.title or now["seen"]
            if line.price is not None:
                seen_price["any"] = (line.price, line.currency)
                if line.currency == "USD":
                    seen_price["own"] = (line.price, "USD")
        else:
            begun, now["origin"] = True, "catalogue"
            if isinstance(line, Feed):
                now |= {"title": line.title, "price": line.price, "stock": line.availability}
            now["price"] = line.price if line.price is not None else now["price"]
            now["stock"] = line.availability or now["stock"]
            if isinstance(line, Feed) or line.price is not None or line.sale is not None:
                ends = (
                    (line.sale_from, line.sale_to) if isinstance(line, Feed) and line.sale is not None else (None, None)
                )
                now["sale"] = None if line.sale is None else (line.sale, *ends)
    price, currency = (
        (now["price"], "USD")
        if now["price"] is not None
        else seen_price.get("own", seen_price.get("any", (None, None)))
    )
    if now["sale"] is not None:
        sale, first, end = now["sale"]
        if (first is None or at(first) <= at_us) and (end is None or at_us < at(end)):
            price, currency = sale, "USD"
    stock = now["stock"] or ("out_of_stock" if feeds else "in_stock")
    return now["title"] or now["seen"] or item, price, currency, stock, now["origin"]


@settings(few, max_examples=8)
@given(lines=worlds)
def test_versions_are_what_was_said_last_instant_by_instant(build, lines):
    lines = [
        line._replace(sale_from=None, sale_to=None) if isinstance(line, Feed) and line.sale is None else line
        for line in lines
    ]
    rows = build(*lines, until=6)
    known = {line.item for line in lines if not isinstance(line, Update)}  # a price alone makes no product
    lines = [line for line in lines if line.item in known]
    assert {row["item_id"] for row in rows} == known
    for row in rows:
        for at_us in (row["valid_from_us"], (row["valid_to_us"] or at(6)) - 1):
            wanted = held(lines, row["item_id"], at_us)
            names = ("title", "price_minor", "currency", "availability", "origin")
            assert tuple(row[name] for name in names) == wanted, (row, day_of(at_us))


@few
@given(lines=worlds, seed=st.randoms())
def test_versions_tile_time_and_the_order_of_rows_does_not_matter(build, lines, seed):
    rows = build(*lines)
    for _, versions in itertools.groupby(rows, key=lambda row: row["item_id"]):
        ends = [(row["valid_from_us"], row["valid_to_us"]) for row in versions]
        assert [first for first, _ in ends] == [0, *(end for _, end in ends[:-1])]
        assert ends[-1][1] is None
        assert all(end is None or first < end for first, end in ends)
    shuffled = list(lines)
    seed.shuffle(shuffled)
    assert build(*shuffled) == rows


@few
@given(lines=worlds, cut=st.integers(1, 4))
def test_days_that_come_later_do_not_change_what_ended_before(build, lines, cut):
    """But for the very first feed, which says what held before it."""
    first = min((line.day for line in lines if isinstance(line, Feed)), default=0)
    before = [line for line in lines if line.day < cut]
    if first < cut:
        ended = [row for row in build(*before, until=cut) if row["valid_to_us"] is not None]
        grown = build(*lines)
        assert all(row in grown for row in ended)
