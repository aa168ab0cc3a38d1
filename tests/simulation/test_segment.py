import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.core.tables import CANONICAL_EVENT_NAMES
from endcap.events.sources.guesses import RENAMES
from endcap.simulation.segment import SEGMENT_NAMES, write_segment

AT_US = 1_785_578_400_123_999  # 2026-08-01T10:00:00.123999Z

BARE = {"user_pseudo_id": "c1", "device": {}, "geo": {}, "traffic_source": {}, "ecommerce": {}, "items": []}
LIST = {
    **BARE,
    "event_timestamp": AT_US,
    "event_name": "view_item_list",
    "event_params": [
        {"key": "ga_session_id", "value": {"int_value": 7}},
        {"key": "event_id", "value": {"string_value": "e1"}},
        {"key": "page_location", "value": {"string_value": "https://shop.example/mugs"}},
        {"key": "recommendation_id", "value": {"string_value": "r9"}},
    ],
    "device": {"category": "mobile", "operating_system": "iOS"},
    "geo": {"country": "Peru", "region": "(not set)"},
    "traffic_source": {"name": "brand", "medium": "cpc", "source": "google"},
    "items": [
        {
            "item_id": "mug",
            "item_name": "Mug",
            "item_category": "Kitchen",
            "price": 9.5,
            "item_list_name": "Category",
            "item_list_index": "1",
        },
        {"item_id": "pen", "item_name": "Pen", "item_brand": "Kestrel", "item_list_index": "2"},
    ],
}
CART = {
    **BARE,
    "event_timestamp": AT_US + 60_000_000,
    "event_name": "add_to_cart",
    "event_params": [{"key": "event_id", "value": {"string_value": "e2"}}],
    "user_id": "ann",
    "items": [{"item_id": "mug", "item_variant": "mug-2", "price": 9.5, "quantity": 2}],
}
SEARCH = {
    **BARE,
    "event_timestamp": AT_US + 120_000_000,
    "event_name": "search",
    "event_params": [
        {"key": "event_id", "value": {"string_value": "e3"}},
        {"key": "search_term", "value": {"string_value": "blue mug"}},
    ],
}
ORDER = {
    **CART,
    "event_timestamp": AT_US + 180_000_000,
    "event_name": "purchase",
    "event_params": [{"key": "event_id", "value": {"string_value": "e4"}}],
    "ecommerce": {"transaction_id": "T1", "purchase_revenue": 23.95, "shipping_value": 4.95},
}

EXPECTED = """
{"type":"track","event":"Product List Viewed","messageId":"e1","anonymousId":"c1",\
"timestamp":"2026-08-01T10:00:00.123Z","receivedAt":"2026-08-01T10:00:00.123Z",\
"context":{"campaign":{"name":"brand","medium":"cpc","source":"google"},"device":{"type":"mobile"},"os":{"name":"iOS"},\
"location":{"country":"Peru"},"page":{"url":"https://shop.example/mugs"},"sessionId":"7"},\
"properties":{"list_id":"Category","currency":"USD","recommendation_id":"r9","products":[\
{"product_id":"mug","category":"Kitchen","name":"Mug","price":9.5,"position":1},\
{"product_id":"pen","name":"Pen","brand":"Kestrel","position":2}]}}
{"type":"track","event":"Product Added","messageId":"e2","anonymousId":"c1","userId":"ann",\
"timestamp":"2026-08-01T10:01:00.123Z","receivedAt":"2026-08-01T10:01:00.123Z",\
"properties":{"currency":"USD","product_id":"mug","sku":"mug-2","variant":"mug-2","price":9.5,"quantity":2}}
{"type":"track","event":"Products Searched","messageId":"e3","anonymousId":"c1",\
"timestamp":"2026-08-01T10:02:00.123Z","receivedAt":"2026-08-01T10:02:00.123Z",\
"properties":{"currency":"USD","query":"blue mug"}}
{"type":"track","event":"Order Completed","messageId":"e4","anonymousId":"c1","userId":"ann",\
"timestamp":"2026-08-01T10:03:00.123Z","receivedAt":"2026-08-01T10:03:00.123Z",\
"properties":{"order_id":"T1","total":23.95,"revenue":19.0,"shipping":4.95,"currency":"USD",\
"products":[{"product_id":"mug","sku":"mug-2","variant":"mug-2","price":9.5,"quantity":2}]}}
"""


@pytest.fixture(scope="module")
def exported(shop):
    """The simulated days as exported, nested tables."""
    return [pq.read_table(path) for path in sorted(shop.out.rglob("events_*.parquet"))]


@pytest.fixture
def written(exported, tmp_path):
    """Write events and return the file's text."""

    def written(*events):
        path = tmp_path / "events_20260801.jsonl"
        write_segment(path, pa.Table.from_pylist(list(events), schema=exported[0].schema))
        return path.read_text()

    return written


def test_an_event_is_a_track_call_with_what_it_says_and_no_more(written, tmp_path):
    assert written(LIST, CART, SEARCH, ORDER) == EXPECTED.lstrip()
    assert [path.name for path in tmp_path.iterdir()] == ["events_20260801.jsonl"]


def test_a_day_without_events_is_an_empty_file(written):
    assert written() == ""


def test_an_event_that_segment_does_not_know_keeps_its_name(written):
    assert json.loads(written({**CART, "event_name": "quickview"}))["event"] == "quickview"


def test_a_cart_of_several_products_names_them_all(written):
    call = json.loads(written({**CART, "items": CART["items"] * 2}))
    assert [product["product_id"] for product in call["properties"]["products"]] == ["mug", "mug"]


def test_a_coupon_is_told_where_the_export_has_one(exported, tmp_path):
    table = pa.Table.from_pylist([CART], schema=exported[0].schema)
    at = table.schema.get_field_index("items")
    items = [[{**CART["items"][0], "coupon": "MAY10", "item_list_index": "3"}]]
    kind = pa.list_(pa.struct([*table.schema.field("items").type.value_type, ("coupon", pa.string())]))
    write_segment(tmp_path / "day.jsonl", table.set_column(at, "items", pa.array(items, kind)))
    properties = json.loads((tmp_path / "day.jsonl").read_text())["properties"]
    assert (properties["coupon"], properties["position"]) == ("MAY10", 3)


def test_names_are_understood_as_the_events_they_were():
    assert set(SEGMENT_NAMES) <= set(CANONICAL_EVENT_NAMES)
    assert {name: RENAMES[told.lower()] for name, told in SEGMENT_NAMES.items()} == {
        name: name for name in SEGMENT_NAMES
    }


def test_every_simulated_event_arrives_under_an_id_of_its_own(exported, tmp_path):
    for table in exported:
        write_segment(tmp_path / "day.jsonl", table)
        calls = [json.loads(line) for line in (tmp_path / "day.jsonl").read_text().splitlines()]
        names = table["event_name"].to_pylist()
        assert [call["event"] for call in calls] == [SEGMENT_NAMES.get(name, name) for name in names]
        assert len({call["messageId"] for call in calls}) == len(names) > 100


def test_the_same_table_gives_the_same_bytes(exported, tmp_path):
    for name in ("a", "b"):
        write_segment(tmp_path / name, exported[0])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
