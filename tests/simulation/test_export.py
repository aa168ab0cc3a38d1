import csv

import pyarrow.parquet as pq

from endcap.core.clock import day_of

GA4 = """
event_date: string
event_timestamp: int64 not null
event_name: string not null
event_params: list<element: struct<key: string, value: struct<string_value: string, int_value: int64, float_value: \
double, double_value: double>>> not null
user_id: string
user_pseudo_id: string not null
device: struct<category: string, operating_system: string, web_info: struct<browser: string>> not null
geo: struct<country: string, region: string> not null
traffic_source: struct<name: string, medium: string, source: string> not null
ecommerce: struct<transaction_id: string, purchase_revenue: double, total_item_quantity: double> not null
items: list<element: struct<item_id: string, item_name: string, item_brand: string, item_variant: string, \
item_category: string, price: double, quantity: int64, item_revenue: double, item_list_name: string, \
item_list_index: string>> not null
"""


def test_the_files_have_the_columns_of_a_ga4_export(shop):
    schema = pq.read_schema(shop.out / "events_20260101.parquet")
    told = [f"{f.name}: {f.type}{'' if f.nullable else ' not null'}" for f in schema]
    assert told == GA4.strip().splitlines()


def test_there_is_one_file_for_each_day_with_that_utc_day_in_order_of_time(shop):
    files = sorted(shop.out.glob("*.parquet"))
    assert [path.name for path in files] == [f"events_2026010{day}.parquet" for day in (1, 2, 3)]
    for path in files:
        table = pq.read_table(path, columns=["event_date", "event_timestamp"]).to_pydict()
        assert table["event_timestamp"] == sorted(table["event_timestamp"])
        assert {day_of(at).replace("-", "") for at in table["event_timestamp"]} == {path.name[7:15]}
        assert set(table["event_date"]) == {path.name[7:15]}


def test_a_session_may_cross_midnight(events):
    days = {}
    for event in events:
        session = (event["user_pseudo_id"], event["event_params"][0]["value"]["int_value"])
        days.setdefault(session, set()).add(event["event_date"])
    assert any(len(each) > 1 for each in days.values())


def test_every_event_tells_its_session_by_its_first_second(events):
    for event in events:
        (param,) = event["event_params"]
        assert param["key"] == "ga_session_id"
        assert event["event_timestamp"] / 1e6 - param["value"]["int_value"] >= 0


def test_lists_number_their_places_and_related_lists_tell_no_price(events):
    lists = [event for event in events if event["event_name"] == "view_item_list"]
    for event in lists:
        assert [item["item_list_index"] for item in event["items"]] == list("12345678")
        (list_name,) = {item["item_list_name"] for item in event["items"]}
        assert {item["price"] is None for item in event["items"]} == {list_name == "Related Products"}


def test_an_order_has_a_number_and_its_total_is_its_lines_and_shipping(events):
    orders = [event for event in events if event["event_name"] == "purchase"]
    numbers = [order["ecommerce"]["transaction_id"] for order in orders]
    assert len(set(numbers)) == len(orders) > 0
    for order in orders:
        lines = [round(item["price"] * 100) * item["quantity"] for item in order["items"]]
        assert round(order["ecommerce"]["purchase_revenue"] * 100) == sum(lines) + 495
        assert order["ecommerce"]["total_item_quantity"] == sum(item["quantity"] for item in order["items"])
    others = [event for event in events if event["event_name"] != "purchase"]
    assert {event["ecommerce"]["transaction_id"] for event in others} == {None}


def test_carts_tell_variant_price_and_quantity(events):
    carts = [event["items"][0] for event in events if event["event_name"] == "add_to_cart"]
    assert all(item["item_variant"].startswith(item["item_id"] + "-") for item in carts)
    assert all(item["price"] > 0 and item["quantity"] >= 1 for item in carts)


def test_some_visitors_are_logged_in(events):
    share = sum(event["user_id"] is not None for event in events) / len(events)
    assert 0.02 < share < 0.4


def test_the_feed_has_merchant_names_prices_with_currency_and_the_titles_of_the_events(shop, events):
    with (shop.out / "catalog.tsv").open() as file:
        feed = {row["id"]: row for row in csv.DictReader(file, delimiter="\t")}
    assert len(feed) == 60
    prices = [row["price"] for row in feed.values()]
    assert prices.count("") == 2
    assert all(price.endswith(" USD") and float(price[:-4]) > 0 for price in prices if price)
    assert [row["availability"] for row in feed.values()].count("out_of_stock") == 2
    for item in (item for event in events for item in event["items"]):
        row = feed[item["item_id"]]
        assert (item["item_name"], item["item_category"]) == (row["title"], row["product_type"])
        assert (item["item_brand"] or "") == row["brand"]
        if item["price"] is not None and row["price"]:
            assert f"{item['price']:.2f} USD" == row["price"]


def test_the_counts_told_are_those_in_the_files(shop, events):
    names = [event["event_name"] for event in events]
    assert {name: names.count(name) for name in shop.num_events} == shop.num_events
    assert sum(shop.num_events.values()) == len(events)
