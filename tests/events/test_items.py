import pyarrow as pa
import pytest

from endcap.core.clock import day_start_us
from endcap.core.tables import EVENTS, ITEMS
from endcap.engines.contracts import check_contract
from endcap.engines.port import arrow_schema
from endcap.events.config import EventsConfig
from endcap.events.feed import FEED_COLUMNS
from endcap.events.items import build_items

AT = day_start_us("2026-08-01")


@pytest.fixture
def events(engine):
    """Events given as (item, name, price_minor, currency)."""

    def make(*rows):
        blank = dict.fromkeys(EVENTS.names)
        told = [
            blank | {"item_id": row[0], "item_name": row[1], "price_minor": row[2], "currency": row[3], "at_us": AT}
            for row in rows
        ]
        return engine.read_arrow(pa.Table.from_pylist(told, schema=arrow_schema(EVENTS)))

    return make


@pytest.fixture
def feed(engine):
    """A feed given as (item, title, price_minor)."""

    def make(*rows):
        schema = pa.schema([arrow_schema(ITEMS).field(name) for name in FEED_COLUMNS])
        told = [
            {"item_id": row[0], "title": row[1], "price_minor": row[2], "currency": "USD" if row[2] else None,
             "availability": "in_stock", "category": "Home"}
            for row in rows
        ]  # fmt: skip
        return engine.read_arrow(pa.Table.from_pylist(told, schema=schema))

    return make


@pytest.fixture
def build(engine, config):
    def build(catalogue, events, previous=None, as_of_us=AT):
        built = engine.materialise(build_items(catalogue, events, previous, config, as_of_us=as_of_us))
        check_contract(engine, built, ITEMS)
        return built

    return build


def _told(rows, *names):
    return [tuple(row[name] for name in names) for row in rows]


def test_a_missing_price_is_the_median_seen_in_events(build, feed, events, arrow_rows):
    seen = events(
        ("mug", "Mug", 100, "USD"), ("mug", "Mug", 900, "USD"), ("mug", "Mug", 300, "USD"), ("mug", "Mug", 5, "EUR")
    )
    rows = arrow_rows(build(feed(("mug", "A mug", None), ("pen", "A pen", 50)), seen))
    assert _told(rows, "item_id", "price_minor", "currency", "origin") == [
        ("mug", 300, "USD", "catalogue"), ("pen", 50, "USD", "catalogue")]  # fmt: skip


def test_an_item_that_only_events_name_is_an_item(build, feed, events, arrow_rows):
    seen = events(
        ("cup", "Cup", 100, "USD"), ("cup", "Cup", 100, "USD"), ("cup", "?", 100, "USD"), ("jar", None, None, None)
    )
    rows = arrow_rows(build(feed(("mug", "A mug", 5)), seen))
    assert _told(rows, "item_id", "title", "price_minor", "origin") == [
        ("cup", "Cup", 100, "events"), ("jar", "jar", None, "events"), ("mug", "A mug", 5, "catalogue")]  # fmt: skip
    assert _told(arrow_rows(build(None, seen)), "item_id") == [("cup",), ("jar",)]


def test_the_first_version_holds_from_the_beginning_and_the_same_feed_changes_nothing(build, feed, events, arrow_rows):
    first = build(feed(("mug", "A mug", 5)), events())
    assert _told(arrow_rows(first), "valid_from_us", "valid_to_us") == [(0, None)]
    assert arrow_rows(build(feed(("mug", "A mug", 5)), events(), first, as_of_us=AT + 1)) == arrow_rows(first)


def test_a_changed_feed_closes_one_version_and_opens_the_next(build, feed, events, arrow_rows):
    first = build(feed(("mug", "A mug", 5), ("pen", "A pen", 1)), events())
    second = build(feed(("mug", "A mug", 6), ("pen", "A pen", 1)), events(), first, as_of_us=AT)
    assert _told(arrow_rows(second), "item_id", "valid_from_us", "valid_to_us", "price_minor") == [
        ("mug", 0, AT, 5), ("mug", AT, None, 6), ("pen", 0, None, 1)]  # fmt: skip
    again = build(feed(("mug", "A mug", 7), ("pen", "A pen", 1)), events(), second, as_of_us=AT)
    assert _told(arrow_rows(again), "item_id", "valid_from_us", "valid_to_us", "price_minor") == [
        ("mug", 0, AT, 5), ("mug", AT, None, 7), ("pen", 0, None, 1)]  # fmt: skip


def test_an_item_that_has_gone_from_the_feed_is_out_of_stock(build, feed, events, arrow_rows):
    first = build(feed(("mug", "A mug", 5), ("pen", "A pen", 1)), events(("pen", "Pen", 1, "USD")))
    second = build(feed(("mug", "A mug", 5)), events(("pen", "Pen", 1, "USD")), first, as_of_us=AT)
    rows = [row for row in arrow_rows(second) if row["valid_to_us"] is None]
    assert _told(rows, "item_id", "title", "availability") == [
        ("mug", "A mug", "in_stock"), ("pen", "A pen", "out_of_stock")]  # fmt: skip


def test_without_a_feed_this_time_what_it_said_stays(build, feed, events, arrow_rows):
    first = build(feed(("mug", "A mug", 5)), events())
    assert arrow_rows(build(None, events(("mug", "Mug", 9, "USD")), first, as_of_us=AT)) == arrow_rows(first)


def test_an_item_of_old_events_stays(build, events, arrow_rows):
    first = build(None, events(("cup", "Cup", 100, "USD")))
    second = build(None, events(("jar", "Jar", 100, "USD")), first, as_of_us=AT)
    assert _told(arrow_rows(second), "item_id", "valid_from_us") == [("cup", 0), ("jar", 0)]


def test_what_only_events_name_is_not_for_sale_beside_a_feed(arrow_rows, events, feed):
    told = events(("mug", "A mug", 900, "USD"), ("fake", "Buy elsewhere", 1, "USD"))
    config = EventsConfig(source="x")
    beside = arrow_rows(build_items(feed(("mug", "A mug", 900)), told, None, config, as_of_us=AT))
    alone = arrow_rows(build_items(None, told, None, config, as_of_us=AT))
    assert {row["item_id"]: row["availability"] for row in beside} == {"mug": "in_stock", "fake": "out_of_stock"}
    assert {row["availability"] for row in alone} == {"in_stock"}
