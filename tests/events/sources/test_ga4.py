import ibis
import pyarrow as pa
import pytest

from endcap.core.errors import Code, SourceError
from endcap.events.reader_config import Ga4Reader
from endcap.events.sources.ga4 import read_ga4

LEAST = {"event_timestamp": [1], "event_name": ["search"], "user_pseudo_id": ["c"], "_file": ["f"], "_row": [0]}


def _read(engine, arrow_rows, exported, **settings):
    reading = read_ga4(
        engine.read_arrow(pa.table(exported)), Ga4Reader(**settings), {"f": 0}, ibis.literal("2026-08-01")
    )
    return arrow_rows(reading.events), arrow_rows(reading.rows.order_by("event_no", "item_ordinal"))


def test_an_export_with_the_least_of_columns_is_read(engine, arrow_rows):
    items = pa.array([[{"item_name": "Mug"}]], pa.list_(pa.struct([("item_name", pa.string())])))
    [event], [row] = _read(engine, arrow_rows, LEAST | {"items": items})
    assert (event["at_us"], event["raw_device_id"], event["country"], event["value"]) == (1, "c", None, None)
    assert (row["item_ordinal"], row["item_id"], row["item_name"], row["price"]) == (1, None, "Mug", None)


def test_parameters_of_any_kind_are_found_by_name(engine, arrow_rows):
    value = pa.struct([("string_value", pa.string()), ("int_value", pa.int64()), ("double_value", pa.float64())])
    params = [{"key": "ga_session_id", "value": {"int_value": 7}}, {"key": "value", "value": {"double_value": 9.5}},
              {"key": "attributionToken", "value": {"string_value": "r1"}}]  # fmt: skip
    columns = LEAST | {
        "items": pa.array([None], pa.list_(pa.struct([("item_id", pa.string())]))),
        "event_params": pa.array([params], pa.list_(pa.struct([("key", pa.string()), ("value", value)]))),
        "geo": pa.array([{"country": "Peru"}]),
    }
    [event], [row] = _read(engine, arrow_rows, columns)
    assert (event["source_session_id"], event["value"], event["recommendation_id"]) == ("7", "9.5", "r1")
    assert (event["country"], row["item_ordinal"]) == ("Peru", 0)


@pytest.mark.parametrize(
    ("name", "told", "value"),
    [
        ("purchase", {"purchase_revenue": 9.5, "refund_value": None}, "9.5"),
        ("purchase", {"purchase_revenue": None, "refund_value": 3.0}, "1.25"),
        ("refund", {"purchase_revenue": None, "refund_value": 3.0}, "3"),
        ("refund", {"purchase_revenue": 9.5, "refund_value": None}, "9.5"),
        ("refund", {"purchase_revenue": 9.5}, "9.5"),
        ("refund", {"refund_value": 3.0}, "3"),
        ("view_item", {"purchase_revenue": 9.5, "refund_value": 3.0}, "1.25"),
    ],
)
def test_an_order_is_worth_its_revenue_a_refund_what_it_gave_back_and_else_the_parameter_counts(
    engine, arrow_rows, name, told, value
):
    params = [{"key": "value", "value": {"string_value": "1.25"}}]
    exported = LEAST | {
        "event_name": [name],
        "items": pa.array([[]], pa.list_(pa.struct([("item_id", pa.string())]))),
        "ecommerce": pa.array([told], pa.struct([(each, pa.float64()) for each in told])),
        "event_params": pa.array([params]),
    }
    [event], _ = _read(engine, arrow_rows, exported)
    assert event["value"] == value


def test_the_place_in_the_list_is_read_and_a_place_that_is_none_is_missing(engine, arrow_rows):
    item = pa.struct([("item_id", pa.string()), ("item_list_index", pa.string())])
    listed = [{"item_id": "mug", "item_list_index": "3"}, {"item_id": "pen", "item_list_index": "top"}]
    _, rows = _read(engine, arrow_rows, LEAST | {"items": pa.array([listed], pa.list_(item))})
    assert [row["place"] for row in rows] == [3, None]


def test_a_column_of_another_name_is_read_where_an_export_has_it(engine, arrow_rows):
    items = {"items": pa.array([[]], pa.list_(pa.struct([("item_id", pa.string())])))}
    renamed = {"user_pseudo_id": "pseudo_user_id"}
    both = LEAST | items | {"pseudo_user_id": ["d"]}
    after = {name: column for name, column in both.items() if name != "user_pseudo_id"}
    for exported, device in ((LEAST | items, "c"), (after, "d"), (both, "d")):
        [event], _ = _read(engine, arrow_rows, exported, columns=renamed)
        assert event["raw_device_id"] == device


def test_two_columns_may_have_changed_places(engine, arrow_rows):
    items = {"items": pa.array([[]], pa.list_(pa.struct([("item_id", pa.string())])))}
    exported = LEAST | items | {"user_id": ["c-9"], "cust": ["ann"]}
    [event], _ = _read(engine, arrow_rows, exported, columns={"user_pseudo_id": "user_id", "user_id": "user_pseudo_id"})
    assert (event["raw_device_id"], event["raw_user_id"]) == ("c-9", "c")
    [event], _ = _read(engine, arrow_rows, exported, columns={"user_pseudo_id": "user_id", "user_id": "cust"})
    assert (event["raw_device_id"], event["raw_user_id"]) == ("c-9", "ann")


def test_items_that_are_no_list_of_structs_are_refused(engine, arrow_rows):
    with pytest.raises(SourceError, match="not a list of structs") as caught:
        _read(engine, arrow_rows, LEAST | {"items": ["mug"]})
    assert caught.value.code == Code.SOURCE_COLUMN
