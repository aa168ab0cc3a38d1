import gzip
import json

import pytest

from endcap.events.sources.snowplow import snowplow_event, snowplow_objects, tell_snowplow

VENDOR = "com_snowplowanalytics_snowplow_ecommerce_"
IGLU = "iglu:com.snowplowanalytics.snowplow.ecommerce/{}/jsonschema/1-0-0"
PRODUCTS = [
    {"id": "mug", "name": "Mug", "price": 9.5, "quantity": 2, "position": 1, "variant": "mug-2", "currency": "EUR"},
    {"id": "pen", "price": 1},
]
ORDER = {"transaction_id": "T1", "revenue": 23.95, "currency": "EUR"}
PLAIN = {
    "event_id": "e1",
    "collector_tstamp": "2026-08-01T10:00:01.000Z",
    "derived_tstamp": "2026-08-01T10:00:00.123Z",
    "user_id": "ann",
    "domain_userid": "c1",
    "domain_sessionid": "s1",
    "geo_country": "PE",
    "dvce_type": "Mobile",
    "event_name": "snowplow_ecommerce_action",
}
AS_JSON = {
    **PLAIN,
    f"unstruct_event_{VENDOR}snowplow_ecommerce_action_1": {"type": "transaction", "name": "sale"},
    f"contexts_{VENDOR}product_1": PRODUCTS,
    f"contexts_{VENDOR}transaction_1": [ORDER],
}


def as_line():
    """The same event as its enricher writes it: 131 fields."""
    fields = [""] * 131
    places = {"collector_tstamp": 3, "event_id": 6, "user_id": 12, "domain_userid": 15, "geo_country": 18}
    places |= {"dvce_type": 101, "domain_sessionid": 123, "derived_tstamp": 124, "event_name": 126}
    for name, place in places.items():
        fields[place] = PLAIN[name].replace("T", " ").replace("Z", "") if name.endswith("tstamp") else PLAIN[name]
    entities = [("product", each) for each in PRODUCTS] + [("transaction", ORDER)]
    told = [{"schema": IGLU.format(name), "data": each} for name, each in entities]
    fields[52] = json.dumps({"schema": "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0", "data": told})
    action = {"schema": IGLU.format("snowplow_ecommerce_action"), "data": {"type": "transaction", "name": "sale"}}
    fields[58] = json.dumps({"schema": "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0",
                             "data": action})  # fmt: skip
    return "\t".join(fields)


def test_an_action_tells_what_was_done_to_which_products():
    told = tell_snowplow(AS_JSON)
    assert {name: value for name, value in told.items() if value is not None and name != "items"} == {
        "event_name": "transaction",
        "time": "2026-08-01T10:00:00.123Z",
        "received": "2026-08-01T10:00:01.000Z",
        "user_id": "ann",
        "device_id": "c1",
        "event_id": "e1",
        "session_id": "s1",
        "value": "23.95",
        "currency": "EUR",
        "transaction_id": "T1",
        "country": "PE",
        "device_category": "Mobile",
        "item_list_id": "sale",
    }
    assert [(item["item_id"], item["price"], item["quantity"], item["place"]) for item in told["items"]] == [
        ("mug", "9.5", "2", "1"),
        ("pen", "1", None, None),
    ]


def test_the_enrichers_text_tells_the_same_as_json():
    told, expected = tell_snowplow(snowplow_event(as_line().encode())), tell_snowplow(AS_JSON)
    times = ("time", "received")
    assert {**told, "time": None, "received": None} == {**expected, "time": None, "received": None}
    assert [told[name].replace(" ", "T") + "Z" for name in times] == [expected[name] for name in times]


def test_a_refund_tells_what_was_given_back():
    event = {**PLAIN, f"contexts_{VENDOR}refund_1": [{"transaction_id": "T1", "refund_amount": 3, "currency": "EUR"}]}
    told = tell_snowplow({**event, f"unstruct_event_{VENDOR}snowplow_ecommerce_action_1": {"type": "refund"}})
    assert (told["event_name"], told["value"], told["transaction_id"], told["currency"]) == ("refund", "3", "T1", "EUR")


@pytest.mark.parametrize(
    ("event", "name"), [({"event_name": "page_ping"}, "page_ping"), ({"event": "pv"}, "pv"), ({}, None)]
)
def test_other_events_are_named_by_themselves(event, name):
    assert tell_snowplow(event)["event_name"] == name


def test_a_user_without_an_id_goes_by_the_entity_and_a_browser_by_its_network_cookie():
    event = {f"contexts_{VENDOR}user_1": [{"id": "ann"}], "network_userid": "n1"}
    told = tell_snowplow(event)
    assert (told["user_id"], told["device_id"]) == ("ann", "n1")


@pytest.mark.parametrize("name", ["good.tsv", "good.txt.gz", "good.jsonl"])
def test_files_hold_text_or_json(tmp_path, name):
    line = json.dumps(AS_JSON) if "json" in name else as_line()
    content = f"{line}\nbad\tline\n".encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    (first, event), (second, bad) = snowplow_objects(tmp_path / name)
    assert (first, second, bad) == (0, 1, None)
    assert tell_snowplow(event)["transaction_id"] == "T1"


def test_a_line_that_is_no_text_is_none():
    assert snowplow_event(b"\xff" * 10) is None


def test_a_line_whose_entities_are_cut_off_is_no_event():
    """Else an order would be kept without what was ordered."""
    fields = as_line().split("\t")
    fields[52] = fields[52][:-5]
    assert snowplow_event("\t".join(fields).encode()) is None


def test_an_order_of_the_old_kind_whose_items_are_events_of_their_own_is_not_taken_for_one():
    assert tell_snowplow({"event_name": "transaction", "tr_orderid": "T1"})["event_name"] == "legacy_transaction"


def test_entities_of_like_names_are_told_apart():
    told = tell_snowplow({**AS_JSON, f"contexts_{VENDOR}transaction_error_1": [{"transaction_id": "T9"}]})
    assert told["transaction_id"] == "T1"
