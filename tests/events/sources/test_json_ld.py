import json

import pytest

from endcap.events.catalogue_config import JsonLdCatalogue
from endcap.events.feed import Unread
from endcap.events.sources.json_ld import json_ld_products

MUG = {
    "@context": "https://schema.org",
    "@type": "Product",
    "@id": "https://shop.example/mug#product",
    "sku": "mug",
    "productID": 77,
    "name": "Mug",
    "brand": {"@type": "Brand", "name": "Acme"},
    "category": "Home > Kitchen",
    "image": [{"@type": "ImageObject", "url": "mug.jpg"}, "back.jpg"],
    "url": "https://shop.example/mug",
    "offers": {
        "@type": "Offer",
        "price": 9.5,
        "priceCurrency": "EUR",
        "availability": "https://schema.org/InStock",
    },
}
READ = {
    "id": "mug",
    "title": "Mug",
    "product_type": "Home > Kitchen",
    "brand": "Acme",
    "price": "9.5 EUR",
    "availability": "in_stock",
    "link": "https://shop.example/mug",
    "image_link": "mug.jpg",
}


def _read(tmp_path, document, **settings):
    path = tmp_path / "products.jsonld"
    path.write_text(json.dumps(document), encoding="utf-8")
    return [each for _, each in json_ld_products(path, JsonLdCatalogue(**settings))]


@pytest.mark.parametrize(
    "document",
    [
        MUG,
        [MUG, {"@type": "Organization", "name": "A shop"}],
        {"@graph": [{"@type": "BreadcrumbList", "itemListElement": [{"item": {"@type": "Thing"}}]}, MUG]},
        {"@type": "ItemList", "itemListElement": [{"@type": "ListItem", "position": 1, "item": MUG}]},
        {**MUG, "@type": ["Product", "Book"]},
        {"@type": "ProductGroup", "name": "Mugs", "hasVariant": [MUG]},
        {"@type": "WebPage", "about": {**MUG, "@type": "http://schema.org/Product"}},
        {**MUG, "@type": "schema:Product", "isRelatedTo": {**MUG, "sku": "pen"}},
    ],
    ids=["alone", "list", "graph", "item list", "two types", "group", "page", "related"],
)
def test_a_product_is_found_wherever_it_stands(tmp_path, document):
    assert _read(tmp_path, document) == [READ]


@pytest.mark.parametrize(("name", "item_id"), [("productID", "77"), ("@id", "https://shop.example/mug#product")])
def test_events_may_name_another_property(tmp_path, name, item_id):
    assert _read(tmp_path, MUG, item_id=name)[0]["id"] == item_id


@pytest.mark.parametrize(
    ("offers", "price", "availability"),
    [
        ({"@type": "AggregateOffer", "lowPrice": "7.00", "highPrice": "9", "priceCurrency": "EUR"}, "7.00 EUR", None),
        (
            [{"price": "7", "priceCurrency": "EUR", "availability": "SoldOut"},
             {"price": "9", "priceCurrency": "EUR", "availability": "http://schema.org/InStock"}],
            "9 EUR",
            "in_stock",
        ),
        ({"priceSpecification": [{"price": 5, "priceCurrency": "USD"}]}, "5 USD", None),
        ({"price": "7", "priceCurrency": "USD", "availability": "PreOrder"}, "7 USD", "preorder"),
        (
            {"offers": [{"price": "3", "priceCurrency": "EUR", "availability": "OutOfStock"}]},
            "3 EUR",
            "out_of_stock",
        ),
        ({"price": 0, "priceCurrency": "EUR"}, "0 EUR", None),
        ({"price": "7", "availability": "https://schema.org/Someday"}, "7", "Someday"),
        (None, None, None),
    ],
)  # fmt: skip
def test_offers_come_in_many_forms(tmp_path, offers, price, availability):
    [found] = _read(tmp_path, {**MUG, "offers": offers})
    assert (found.get("price"), found.get("availability")) == (price, availability)


def test_what_is_no_json_is_kept_with_its_place(tmp_path):
    path = tmp_path / "products.jsonl"
    path.write_text(json.dumps(MUG) + "\n{\n", encoding="utf-8")
    assert list(json_ld_products(path, JsonLdCatalogue())) == [(0, READ), (1, Unread("{", "no JSON"))]
