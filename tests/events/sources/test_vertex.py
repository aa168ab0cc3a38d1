import pytest

from endcap.events.sources.vertex import tell_vertex

EVENT = {
    "eventType": "purchase-complete",
    "visitorId": "c1",
    "sessionId": "s1",
    "eventTime": "2026-08-01T10:00:00Z",
    "attributionToken": "r9",
    "userInfo": {"userId": "ann"},
    "purchaseTransaction": {"id": "T1", "revenue": 23.95, "currencyCode": "EUR"},
    "productDetails": [
        {"product": {"id": "mug", "title": "Mug", "priceInfo": {"price": 9.5, "currencyCode": "EUR"}}, "quantity": 2},
        {"product": {"name": "projects/p/locations/global/catalogs/c/branches/0/products/pen"}},
    ],
}


def test_an_order_tells_its_products_and_what_it_came_to():
    told = tell_vertex(EVENT)
    assert (told["event_name"], told["user_id"], told["device_id"]) == ("purchase-complete", "ann", "c1")
    assert (told["transaction_id"], told["value"], told["currency"]) == ("T1", "23.95", "EUR")
    assert (told["recommendation_id"], told["session_id"], told["time"]) == ("r9", "s1", "2026-08-01T10:00:00Z")
    assert told["items"] == [
        {"item_id": "mug", "item_name": "Mug", "price": "9.5", "quantity": "2"},
        {"item_id": "pen", "item_name": None, "price": None, "quantity": None},
    ]


@pytest.mark.parametrize("kind", ["search", "home-page-view", "category-page-view"])
def test_a_page_that_names_products_showed_them_in_a_list(kind):
    told = tell_vertex({**EVENT, "eventType": kind, "searchQuery": "mugs"})
    assert (told["event_name"], told["item_list_id"], told["search_term"]) == ("view_item_list", kind, "mugs")
    bare = tell_vertex({**EVENT, "eventType": kind, "productDetails": []})
    assert (bare["event_name"], bare["item_list_id"], bare["items"]) == (kind, None, [])


def test_the_currency_is_that_of_the_products_where_there_is_no_order():
    event = {name: value for name, value in EVENT.items() if name != "purchaseTransaction"}
    assert tell_vertex(event)["currency"] == "EUR"


def test_what_is_of_another_form_tells_nothing():
    told = tell_vertex({"eventType": "detail-page-view", "productDetails": "mug", "userInfo": 7})
    assert (told["items"], told["user_id"]) == ([], None)
