import json

import pytest

from endcap.events.feed import Unread
from endcap.events.sources.merchant_json import merchant_json_products

CONTENT_API = {
    "kind": "content#product",
    "id": "online:en:DE:mug",
    "offerId": "mug",
    "title": "Mug",
    "brand": "Acme",
    "productTypes": ["Home > Kitchen", "Gifts"],
    "availability": "in stock",
    "link": "https://shop.example/mug",
    "imageLink": "https://shop.example/mug.jpg",
    "price": {"value": "9.50", "currency": "EUR"},
    "salePrice": {"value": "8.00", "currency": "EUR"},
    "salePriceEffectiveDate": "2026-03-01T00:00Z/2026-03-08T00:00Z",
}
MERCHANT_API = {
    "name": "accounts/1/products/online~en~DE~mug",
    "offerId": "mug",
    "productAttributes": {
        "title": "Mug",
        "availability": "IN_STOCK",
        "price": {"amountMicros": "9500000", "currencyCode": "EUR"},
        "salePriceEffectiveDate": {"startTime": "2026-03-01T00:00:00Z", "endTime": "2026-03-08T00:00:00Z"},
    },
}
MUG = {
    "id": "mug",
    "title": "Mug",
    "brand": "Acme",
    "product_type": "Home > Kitchen",
    "availability": "in stock",
    "link": "https://shop.example/mug",
    "image_link": "https://shop.example/mug.jpg",
    "price": "9.50 EUR",
    "sale_price": "8.00 EUR",
    "sale_price_effective_date": "2026-03-01T00:00Z/2026-03-08T00:00Z",
}


def _read(tmp_path, document):
    path = tmp_path / "feed.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return list(merchant_json_products(path))


@pytest.mark.parametrize("wrapped", [lambda each: each, lambda each: [each], lambda each: {"resources": [each]}])
def test_a_product_of_the_content_api_has_merchants_names(tmp_path, wrapped):
    assert _read(tmp_path, wrapped(CONTENT_API)) == [(0, MUG)]


def test_a_product_of_the_merchant_api_has_them_too(tmp_path):
    [(_, mug)] = _read(tmp_path, {"products": [MERCHANT_API]})
    assert mug == {
        "id": "mug",
        "title": "Mug",
        "availability": "in_stock",
        "price": "9.5 EUR",
        "sale_price_effective_date": "2026-03-01T00:00:00Z/2026-03-08T00:00:00Z",
    }


def test_what_is_no_product_keeps_its_place(tmp_path):
    assert _read(tmp_path, [CONTENT_API, 7, {"products": ["x", CONTENT_API]}]) == [
        (0, MUG),
        (1, Unread("7", "no object")),
        (2, Unread("x", "no object")),
        (3, MUG),
    ]


def test_a_price_that_is_none_is_left_for_the_feed_to_refuse(tmp_path):
    for micros in ("many", "1E+999999999", "9" * 50):
        price = {"amountMicros": micros, "currencyCode": "EUR"}
        bad = {"offerId": "mug", "attributes": {"title": "Mug", "price": price}}
        assert _read(tmp_path, bad)[0][1]["price"] == f"{micros} EUR"
