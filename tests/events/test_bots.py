import pyarrow as pa
import pytest

from endcap.core.clock import day_start_us
from endcap.core.tables import EVENTS
from endcap.engines.port import arrow_schema
from endcap.events.bots import find_bots, without_bots
from endcap.events.identity_config import BotRules

OFF = {name: 0 for name in BotRules.model_fields if name.startswith("most")}


@pytest.fixture
def table(engine):
    """Events given as (day of March, second, visitor, event name, items)."""

    def table(*told):
        rows = []
        for number, (day, second, user, name, items) in enumerate(told):
            date = f"2026-03-{day:02d}"
            at_us = day_start_us(date) + second * 1_000_000
            event = {
                "date_partition": date, "event_id": f"{number:032x}", "site": "main", "event_name": name,
                "at_us": at_us, "received_us": at_us, "user_key": user,
            }  # fmt: skip
            rows += [{**event, "item_ordinal": place, "item_id": f"i{place}"} for place in range(1, items + 1)]
        return engine.read_arrow(pa.Table.from_pylist(rows, arrow_schema(EVENTS)))

    return table


def found(engine, events, **rules):
    rows = engine.to_arrow(find_bots(events, BotRules(**(OFF | rules)))).to_pylist()
    return sorted((row["date_partition"][-2:], row["user_key"], row["rule"], row["num_events"]) for row in rows)


def test_events_are_counted_by_minute_hour_and_day_and_an_event_of_many_items_once(engine, table):
    events = table(*[(1, second, "bot", "view_item_list", 9) for second in (0, 1, 59, 60)], (1, 0, "ann", "search", 1))
    assert found(engine, events, most_events_a_minute=2) == [("01", "bot", "events_a_minute", 3)]
    assert found(engine, events, most_events_a_minute=3) == []
    assert found(engine, events, most_events_an_hour=3) == [("01", "bot", "events_an_hour", 4)]
    assert found(engine, events, most_events_a_day=3, most_events_an_hour=3) == [
        ("01", "bot", "events_a_day", 4),
        ("01", "bot", "events_an_hour", 4),
    ]


def test_who_only_looks_is_a_bot_and_who_buys_is_none(engine, table):
    looks = [(1, second, who, "view_item", 1) for who in ("bot", "ann") for second in range(3)]
    events = table(*looks, (1, 9, "ann", "add_to_cart", 1), (2, 0, "bot", "view_item", 1))
    assert found(engine, events, most_views_without_a_cart=2) == [("01", "bot", "views_without_a_cart", 3)]


def test_a_bot_stays_one_for_some_days_and_is_none_before(engine, table):
    told = [(day, 0, "bot", "search", 1) for day in (1, 3, 4)]
    events = table(*told, *[(2, second, "bot", "search", 1) for second in range(4)], (2, 0, "ann", "search", 1))
    rules = BotRules(most_events_a_minute=3, keep_days=2)
    left = engine.to_arrow(without_bots(events, find_bots(events, rules), rules)).to_pylist()
    assert sorted((row["date_partition"][-2:], row["user_key"]) for row in left) == [
        ("01", "bot"),
        ("02", "ann"),
        ("04", "bot"),
    ]
