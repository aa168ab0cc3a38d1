import numpy as np
import pyarrow.parquet as pq
import pytest

from endcap.simulation.catalogue import make_catalogue
from endcap.simulation.files import write_parquet
from endcap.simulation.ga4 import NAMES, Log, ga4_table
from endcap.simulation.settings import make_world

GOODS = make_catalogue(make_world("stationary", items=10))
PRICES = np.arange(10) * 100 + 99  # 0.99, 1.99, ...
AT_US = 1_767_225_600_000_000  # 2026-01-01


def log(*events, pool, quantity, unit_minor=None):
    """Make a log of (seconds after midnight, name, cookie, account, list, is related, order, start, count).

    What is clicked stands on the third place.
    """
    at_s, name, cookie, account, number, related, order, start, count = zip(*events, strict=True)
    zeros = np.zeros(len(events), np.int64)
    return Log(
        at_us=AT_US + np.array(at_s) * 1_000_000,
        name=np.array([NAMES.index(each) for each in name]),
        cookie=np.array(cookie),
        account=np.array(account),
        session_us=zeros + AT_US,
        country=zeros + 1,
        device=zeros + 2,
        traffic=zeros,
        allows_ads=np.array(cookie) > 100,
        list_number=np.array(number),
        is_related=np.array(related),
        place=np.where(np.array(name) == "select_item", 2, 0),
        order=np.array(order),
        start=np.array(start),
        count=np.array(count),
        item=np.array(pool, np.int32),
        quantity=np.array(quantity, np.int32),
        unit_minor=unit_minor,
    )


GA4 = """
event_date: string
event_timestamp: int64 not null
event_name: string not null
event_params: list<element: struct<key: string, value: struct<string_value: string, int_value: int64, float_value: \
double, double_value: double>>> not null
user_id: string
user_pseudo_id: string not null
privacy_info: struct<analytics_storage: string, ads_storage: string> not null
device: struct<category: string, operating_system: string, web_info: struct<browser: string, hostname: string>> not null
geo: struct<country: string, region: string> not null
traffic_source: struct<name: string, medium: string, source: string> not null
ecommerce: struct<transaction_id: string, purchase_revenue: double, refund_value: double, shipping_value: \
double, total_item_quantity: double> not null
items: list<element: struct<item_id: string, item_name: string, item_brand: string, item_variant: string, \
item_category: string, price: double, quantity: int64, item_revenue: double, item_refund: double, \
item_list_name: string, item_list_index: string>> not null
"""


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """A list, a related list, a cart and an order of two items, written and read back."""
    told = log(
        (1, "view_item_list", 111, -1, 5, False, -1, 0, 3),
        (2, "view_item_list", 111, -1, 6, True, -1, 3, 2),
        (3, "add_to_cart", 22, 7, -1, False, -1, 5, 1),
        (90_000, "purchase", 22, 7, -1, False, 44, 6, 2),
        pool=[4, 0, 9, 1, 2, 9, 9, 3],
        quantity=[0, 0, 0, 0, 0, 2, 2, 1],
    )
    path = tmp_path_factory.mktemp("ga4") / "day.parquet"
    write_parquet(path, [ga4_table(told, GOODS, PRICES)])
    return pq.read_table(path).to_pylist()


def items(row, *names):
    return [tuple(item[name] for name in names) for item in row["items"]]


def test_lists_name_places_and_prices_and_no_variants(rows):
    assert items(rows[0], "item_id", "item_list_index", "price", "item_variant", "quantity", "item_list_name") == [
        ("P0005", "1", 4.99, None, None, "Recommended"),
        ("P0001", "2", 0.99, None, None, "Recommended"),
        ("P0010", "3", 9.99, None, None, "Recommended"),
    ]


def test_lists_of_related_products_tell_no_prices(rows):
    assert items(rows[1], "item_id", "item_list_index", "price", "item_list_name") == [
        ("P0002", "1", None, "Related Products"),
        ("P0003", "2", None, "Related Products"),
    ]


def test_a_cart_names_variant_and_pieces_and_no_place(rows):
    assert items(rows[2], "item_id", "item_variant", "quantity", "price", "item_list_index", "item_revenue") == [
        ("P0010", "P0010-1", 2, 9.99, None, None)
    ]


def test_an_order_adds_up_with_its_shipping(rows):
    assert items(rows[3], "item_id", "quantity", "item_revenue") == [("P0010", 2, 19.98), ("P0004", 1, 3.99)]
    order = rows[3]["ecommerce"]
    assert order == {
        "transaction_id": "T44",
        "purchase_revenue": 28.92,
        "refund_value": None,
        "shipping_value": 4.95,
        "total_item_quantity": 3.0,
    }
    assert {row["ecommerce"]["transaction_id"] for row in rows[:3]} == {None}


def test_titles_categories_and_brands_are_those_of_the_range(rows):
    for item in (item for row in rows for item in row["items"]):
        number = int(item["item_id"][1:]) - 1
        assert item["item_name"] == GOODS.titles[number].as_py()
        assert item["item_category"] == GOODS.categories[GOODS.category[number]]


def test_who_where_and_when(rows):
    assert [row["user_id"] for row in rows] == [None, None, "customer-7", "customer-7"]
    assert [row["user_pseudo_id"] for row in rows] == ["111", "111", "22", "22"]
    assert [row["event_date"] for row in rows] == ["20260101"] * 3 + ["20260102"]
    assert [row["event_timestamp"] - AT_US for row in rows] == [1_000_000, 2_000_000, 3_000_000, 90_000_000_000]
    assert [row["privacy_info"]["ads_storage"] for row in rows] == ["Yes", "Yes", "No", "No"]
    assert rows[0]["geo"]["country"] == "Germany"
    assert rows[0]["device"]["web_info"]["hostname"] == "shop.example.de"


def test_the_session_and_the_recommendation_are_parameters(rows):
    params = [{each["key"]: each["value"] for each in row["event_params"]} for row in rows]
    assert [each["ga_session_id"]["int_value"] for each in params] == [AT_US // 1_000_000] * 4
    assert params[0]["recommendation_id"]["string_value"] == "r5"
    assert params[1]["recommendation_id"]["string_value"] == "r6"
    assert "recommendation_id" not in params[2]


def test_a_click_names_its_list_and_the_place_in_it():
    told = log((1, "select_item", 22, -1, 5, False, -1, 0, 1), (2, "select_item", 22, -1, 6, True, -1, 0, 1),
               pool=[3], quantity=[0])  # fmt: skip
    one, other = ga4_table(told, GOODS, PRICES).to_pylist()
    names = ("item_id", "item_list_name", "item_list_index", "item_variant", "price")
    assert items(one, *names) == [("P0004", "Recommended", "3", None, 3.99)]
    assert items(other, *names) == [("P0004", "Related Products", "3", None, 3.99)]


def test_an_item_has_up_to_three_variants_and_a_cookie_always_the_same_one():
    """Item 4 (P0005) has two, item 9 (P0010) one, item 5 (P0006) three: 1 + number % 3."""
    views = [(second, "view_item", cookie, -1, -1, False, -1, 0, 3) for second, cookie in enumerate((6, 7, 8, 6))]
    rows = ga4_table(log(*views, pool=[4, 9, 5], quantity=[0, 0, 0]), GOODS, PRICES).to_pylist()
    assert [[variant for (variant,) in items(row, "item_variant")] for row in rows] == [
        ["P0005-1", "P0010-1", "P0006-1"],
        ["P0005-2", "P0010-1", "P0006-2"],
        ["P0005-1", "P0010-1", "P0006-3"],
        ["P0005-1", "P0010-1", "P0006-1"],
    ]


def test_a_return_is_worth_what_was_paid():
    told = log((1, "refund", 22, 7, -1, False, 44, 0, 1), pool=[3], quantity=[2], unit_minor=np.array([350]))
    [row] = ga4_table(told, GOODS, PRICES).to_pylist()
    assert items(row, "price", "item_revenue", "item_refund") == [(3.5, None, 7.0)]
    assert (row["ecommerce"]["purchase_revenue"], row["ecommerce"]["refund_value"]) == (None, 7.0)


def test_no_events_are_a_table_of_no_rows():
    nothing = log((1, "view_item", 1, -1, -1, False, -1, 0, 1), pool=[0], quantity=[0])
    empty = Log(**{name: getattr(nothing, name)[:0] for name in Log.__dataclass_fields__ if name != "unit_minor"})
    assert ga4_table(empty, GOODS, PRICES).num_rows == 0


def test_columns_that_ga4_always_has_are_required():
    schema = ga4_table(log((1, "view_item", 1, -1, -1, False, -1, 0, 1), pool=[0], quantity=[0]), GOODS, PRICES).schema
    assert {field.name for field in schema if field.nullable} == {"event_date", "user_id"}


def test_the_files_have_the_columns_of_a_ga4_export(tmp_path):
    told = log((1, "view_item", 1, -1, -1, False, -1, 0, 1), pool=[0], quantity=[0])
    write_parquet(tmp_path / "day.parquet", [ga4_table(told, GOODS, PRICES)])
    schema = pq.read_schema(tmp_path / "day.parquet")
    assert [f"{f.name}: {f.type}{'' if f.nullable else ' not null'}" for f in schema] == GA4.strip().splitlines()


def test_events_written_in_two_parts_are_the_events_written_in_one():
    """Also where the second part knows other items, cookies, lists and customers than the first."""
    events = [
        (1, "view_item_list", 111, -1, 5, False, -1, 0, 12),
        (2, "select_item", 111, -1, 5, False, -1, 3, 1),
        (3, "view_item", 22, 7, -1, False, -1, 9, 1),
        (4, "purchase", 33, 8, -1, False, 44, 12, 2),
        (86_400, "view_item_list", 33, 8, 6, True, -1, 10, 2),
    ]
    pool, quantity = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 8, 7, 6, 1], [0] * 12 + [2, 1]
    whole = ga4_table(log(*events, pool=pool, quantity=quantity), GOODS, PRICES).to_pylist()
    for cut in range(1, len(events)):
        parts = [log(*each, pool=pool, quantity=quantity) for each in (events[:cut], events[cut:])]
        assert [row for part in parts for row in ga4_table(part, GOODS, PRICES).to_pylist()] == whole
    assert [item["item_list_index"] for item in whole[0]["items"]] == [str(number) for number in range(1, 13)]
