import json

import pytest

from endcap.events.recognise import event_names, nested_kind
from endcap.events.sources.segment import segment_objects, tell_segment

CALL = {
    "type": "track",
    "event": "Product Added",
    "messageId": "m1",
    "anonymousId": "c1",
    "userId": "ann",
    "timestamp": "2026-08-01T10:00:00.123Z",
    "receivedAt": "2026-08-01T10:00:01.000Z",
    "context": {"location": {"country": "Peru"}, "device": {"type": "mobile"}, "sessionId": 7},
    "properties": {"product_id": "mug", "sku": "mug-2", "name": "Mug", "price": 9.5, "quantity": 2, "currency": "EUR"},
}


def test_a_call_tells_who_did_what_when_to_which_product():
    told = tell_segment(CALL)
    assert {name: value for name, value in told.items() if value is not None and name != "items"} == {
        "event_name": "Product Added",
        "time": "2026-08-01T10:00:00.123Z",
        "received": "2026-08-01T10:00:01.000Z",
        "user_id": "ann",
        "device_id": "c1",
        "event_id": "m1",
        "session_id": "7",
        "currency": "EUR",
        "country": "Peru",
        "device_category": "mobile",
    }
    assert told["items"] == [
        {"item_id": "mug", "item_name": "Mug", "item_variant": "mug-2", "price": "9.5", "quantity": "2", "place": None}
    ]


def test_products_stand_in_a_list_with_their_positions():
    properties = {"list_id": "sale", "products": [{"product_id": "mug", "position": 1}, {"sku": "pen-1"}, "oops"]}
    told = tell_segment({**CALL, "event": "Product List Viewed", "properties": properties})
    assert told["item_list_id"] == "sale"
    assert [(item["item_id"], item["place"]) for item in told["items"]] == [("mug", "1"), ("pen-1", None), (None, None)]


@pytest.mark.parametrize(
    ("properties", "value"),
    [({"total": 23.95, "revenue": 19.0}, "23.95"), ({"revenue": 19.0}, "19"), ({"value": 3}, "3"), ({"total": 0}, "0")],
)
def test_an_order_is_worth_its_total_else_its_revenue(properties, value):
    told = tell_segment({**CALL, "event": "Order Completed", "properties": {"order_id": "T1", **properties}})
    assert (told["transaction_id"], told["value"]) == ("T1", value)


def test_a_search_names_no_product():
    told = tell_segment({**CALL, "event": "Products Searched", "properties": {"query": "blue mug"}})
    assert (told["search_term"], told["items"]) == ("blue mug", [])


@pytest.mark.parametrize("kind", ["page", "identify", "screen"])
def test_other_calls_are_named_by_their_type(kind):
    assert tell_segment({"type": kind, "anonymousId": "c1", "name": "Home"})["event_name"] == kind


@pytest.mark.parametrize(
    "products", [{"product_id": "mug"}, '[{"product_id": "mug"}]', '{"product_id": "mug"}'], ids=["one", "text", "both"]
)
def test_products_may_be_one_alone_or_text_as_warehouses_have_them(products):
    [item] = tell_segment({**CALL, "properties": {"products": products}})["items"]
    assert item["item_id"] == "mug"


@pytest.mark.parametrize("properties", [None, [], "x", {"products": []}])
def test_properties_of_another_form_tell_nothing(properties):
    assert tell_segment({**CALL, "properties": properties})["items"] == []


def test_the_calls_of_a_batch_are_read_one_by_one_and_each_has_a_place(tmp_path):
    path = tmp_path / "calls.jsonl"
    own = {**CALL, "messageId": "m2", "context": {"device": {"type": "tablet"}}}
    batch = {"batch": [{**CALL, "context": None}, own, "oops"], "context": {"location": {"country": "Chad"}}}
    lines = [CALL, batch, {"batch": []}, {**CALL, "messageId": "m3"}]
    path.write_text("\n".join(map(json.dumps, lines)))
    read = list(segment_objects(path))
    assert [place for place, _ in read] == [0, 1, 2, 3, 5]
    told = [tell_segment(call) if isinstance(call, dict) else call for _, call in read]
    assert [
        each if each == "oops" else (each["event_id"], each["country"], each["device_category"]) for each in told
    ] == [
        ("m1", "Peru", "mobile"),
        ("m1", "Chad", None),
        ("m2", "Chad", "tablet"),
        "oops",
        ("m3", "Peru", "mobile"),
    ]


def test_a_file_of_batches_is_known_by_the_calls_in_them(tmp_path):
    path = tmp_path / "calls.jsonl"
    path.write_text(json.dumps({"batch": [CALL, CALL]}))
    assert nested_kind(path) == "segment"
    assert event_names(path, "segment") == {"Product Added": 2}
