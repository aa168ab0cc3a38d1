"""The day: u1 views A and B in a list at 10:00, buys A at 10:30, which arrives two hours late; u2 views A at 23:00."""

import pyarrow as pa
import pytest

from endcap.core.clock import day_start_us
from endcap.core.tables import EVENTS
from endcap.engines.port import arrow_schema
from endcap.monitoring.profile import profile_events, profile_intake

DAY = "2026-03-02"
MINUTE_US = 60_000_000


def row(event_id, minute, name, user, item, **more):
    at_us = day_start_us(DAY) + minute * MINUTE_US
    told = dict.fromkeys(EVENTS.names) | {
        "date_partition": DAY, "event_id": event_id, "event_name": name, "user_key": user, "item_id": item,
        "at_us": at_us, "received_us": at_us, "item_ordinal": 1, "site": "s", "country": "DE",
    }  # fmt: skip
    return told | more


LATE = day_start_us(DAY) + 630 * MINUTE_US + 7_200_000_000
NEXT = day_start_us(DAY) + 1440 * MINUTE_US
ROWS = [
    row("e1", 600, "view_item_list", "u1", "A", price_minor=100, place=1),
    row("e1", 600, "view_item_list", "u1", "B", price_minor=301, place=2, item_ordinal=2),
    row("e2", 630, "purchase", "u1", "A", price_minor=100, value_minor=250, currency="EUR", received_us=LATE),
    row("e3", 1380, "view_item_list", "u2", "A", country=None, received_us=NEXT),
]


@pytest.fixture
def numbers(engine):
    table = engine.read_arrow(pa.Table.from_pylist(ROWS, schema=arrow_schema(EVENTS)))
    found = profile_events(engine, table)
    assert {each["date_partition"] for each in found} == {DAY}
    keys = [(each["event_name"], each["column_name"], each["measure"]) for each in found]
    assert len(set(keys)) == len(keys)
    return dict(zip(keys, (each["value"] for each in found), strict=True))


@pytest.mark.parametrize(
    ("name", "events", "rows", "visitors", "items"),
    [("", 3, 4, 2, 2), ("view_item_list", 2, 3, 2, 2), ("purchase", 1, 1, 1, 1)],
)
def test_what_came_is_counted_by_event_and_for_the_day(numbers, name, events, rows, visitors, items):
    told = [numbers[name, "", measure] for measure in ("events", "rows", "visitors", "items")]
    assert told == [events, rows, visitors, items]


def test_what_is_missing_is_counted_in_rows(numbers):
    assert numbers["", "price_minor", "missing"] == 1
    assert numbers["view_item_list", "value_minor", "missing"] == 3
    assert ("purchase", "value_minor", "missing") not in numbers
    assert numbers["", "country", "missing"] == 1


def test_values_are_told_by_quantiles_rounded_down(numbers):
    told = {m: numbers["view_item_list", "price_minor", m] for m in ("known", "min", "p1", "p50", "p99", "max")}
    assert told == {"known": 2, "min": 100, "p1": 102, "p50": 200, "p99": 298, "max": 301}
    assert numbers["purchase", "value_minor", "p50"] == 250


def test_lateness_is_that_of_events(numbers):
    late = {measure: value for (_, column, measure), value in numbers.items() if column == "lateness_us"}
    assert late["max"] == 7_200_000_000
    assert (late["over_hour"], late["other_day"], late.get("over_day", 0)) == (1, 1, 0)
    assert late["p50"] == 3_600_000_000  # 0, one hour, two hours: that of e3 is an hour to the very microsecond


def test_hours_and_values_of_mixed_columns_add_up_to_the_events(numbers):
    hours = {measure: value for (_, column, measure), value in numbers.items() if column == "at_us"}
    assert hours == {"hour:10": 2, "hour:23": 1}
    assert {k[2]: v for k, v in numbers.items() if k[1] == "country" and k[2] != "missing"} == {
        "value:DE": 2,
        "value:": 1,
    }


def test_the_order_of_rows_does_not_matter(engine):
    def profiled(rows):
        found = profile_events(engine, engine.read_arrow(pa.Table.from_pylist(rows, schema=arrow_schema(EVENTS))))
        return sorted(tuple(each.values()) for each in found)

    assert profiled(ROWS) == profiled(ROWS[::-1])


def test_what_became_of_the_sources_rows_is_kept_under_its_own_names():
    found = profile_intake(DAY, {"quickview": {"events_read": 7, "events_folded": 7, "rows_ignored:x": 0}})
    assert [(each["event_name"], each["measure"], each["value"]) for each in found] == [
        ("quickview", "intake:events_read", 7), ("quickview", "intake:events_folded", 7)
    ]  # fmt: skip
