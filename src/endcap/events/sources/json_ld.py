"""Products as schema.org JSON-LD, as shops put them into their pages for search engines."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from endcap.events.catalogue_config import JsonLdCatalogue
from endcap.events.feed import Product, Unread
from endcap.events.sources.documents import read_documents

__all__ = ["json_ld_products", "products_in"]

_PRODUCT = "Product"
_NOT_FOR_SALE = ("isRelatedTo", "isSimilarTo", "isAccessoryOrSparePartFor", "isConsumableFor", "offers", "review")
_AVAILABILITY = {
    "instock": "in_stock",
    "instoreonly": "in_stock",
    "onlineonly": "in_stock",
    "limitedavailability": "in_stock",
    "outofstock": "out_of_stock",
    "soldout": "out_of_stock",
    "discontinued": "out_of_stock",
    "reserved": "out_of_stock",
    "preorder": "preorder",
    "presale": "preorder",
    "backorder": "backorder",
    "madetoorder": "backorder",
}


def json_ld_products(path: Path, settings: JsonLdCatalogue) -> Iterator[tuple[int, Product | Unread]]:
    """Yield the products of a file with their places; other things that it describes are passed over.

    Args:
        path: The file.
        settings: Which property is the id.

    Raises:
        SourceError: The file is missing or damaged.
    """
    place = 0
    for _, document in read_documents(path):
        for told in [document] if isinstance(document, Unread) else products_in(document):
            yield place, _product(told, settings.item_id) if isinstance(told, Mapping) else told
            place += 1


def products_in(document: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the products of a document, wherever they stand in it, but for those that others are only compared with."""
    if isinstance(document, list):
        for each in document:
            yield from products_in(each)
    elif isinstance(document, Mapping):
        if _PRODUCT in (re.split(r"[/:#]", _text(each))[-1] for each in _listed(document.get("@type"))):
            yield document
        for name, each in document.items():
            if name not in _NOT_FOR_SALE:
                yield from products_in(each)


def _product(told: Mapping[str, Any], id_property: str) -> Product:
    offer = _offer(told.get("offers"))
    amount = _text(_first(offer, "price", "lowPrice"))
    specified = offer.get("priceSpecification")
    if not amount and isinstance(specified := (_listed(specified) or [None])[0], Mapping):
        amount, offer = _text(specified.get("price")), {**offer, "priceCurrency": specified.get("priceCurrency")}
    found = {
        "id": _text(told.get(id_property)),
        "title": _text(told.get("name")),
        "product_type": _named((_listed(told.get("category")) or [None])[0]),
        "brand": _named(told.get("brand")),
        "price": f"{amount} {_text(offer.get('priceCurrency'))}".strip() if amount else "",
        "availability": _availability(offer.get("availability")),
        "link": _text(_first(told, "url")) or _text(offer.get("url")),
        "image_link": _named((_listed(told.get("image")) or [None])[0], "url", "contentUrl"),
    }
    return {name: value for name, value in found.items() if value}


def _offer(told: Any) -> Mapping[str, Any]:
    """Return the offer, of several the first that can be bought; an aggregate of offers is one."""
    offers = [each for each in _listed(told) if isinstance(each, Mapping)]
    offers = [inner for each in offers for inner in (_offers_in(each) or [each])]
    there = [each for each in offers if _availability(each.get("availability")) == "in_stock"]
    return (there or offers or [{}])[0]


def _offers_in(offer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the offers of an aggregate that tells no price of its own."""
    if _first(offer, "price", "lowPrice") is not None:
        return []
    return [each for each in _listed(offer.get("offers")) if isinstance(each, Mapping)]


def _availability(told: Any) -> str:
    """Return "https://schema.org/InStock" in Merchant's words; what is not known is left for the feed to refuse."""
    word = _text(told).rpartition("/")[2]
    return _AVAILABILITY.get(word.lower(), word)


def _first(told: Mapping[str, Any], *names: str) -> Any:
    return next((told[name] for name in names if told.get(name) not in (None, "")), None)


def _named(told: Any, *names: str) -> str:
    """Return a name that is told as text or as a thing with a name."""
    if isinstance(told, Mapping):
        return _text(_first(told, *(names or ("name",))))
    return _text(told)


def _listed(told: Any) -> list[Any]:
    if told is None:
        return []
    return told if isinstance(told, list) else [told]


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, Mapping | list) else str(value).strip()
