"""A Google Merchant feed as JSON: products of the Content API or the Merchant API, in a list, a page or lines."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from endcap.events.feed import Product, Unread
from endcap.events.sources.documents import read_documents

__all__ = ["merchant_json_products"]

_MICROS = 1_000_000
_LONGEST = 20  # digits
_NAMES = {
    "title": "title",
    "brand": "brand",
    "availability": "availability",
    "link": "link",
    "imageLink": "image_link",
    "googleProductCategory": "google_product_category",
}


def merchant_json_products(path: Path) -> Iterator[tuple[int, Product | Unread]]:
    """Yield the products of a feed with their places.

    Args:
        path: The file.

    Raises:
        SourceError: The file is missing or damaged.
    """
    place = 0
    for _, document in read_documents(path):
        for told in _told(document):
            yield place, _product(told) if isinstance(told, Mapping) else told
            place += 1


def _told(document: Any) -> list[Any]:
    """Return the products of a document; a page of the API holds them as `resources` or `products`."""
    if isinstance(document, Unread):
        return [document]
    if not isinstance(document, Mapping):
        return [Unread(str(document), "no object")]
    pages = [document[name] for name in ("resources", "products") if isinstance(document.get(name), list)]
    entries = pages[0] if pages else [document]
    return [each if isinstance(each, Mapping) else Unread(str(each), "no object") for each in entries]


def _product(told: Mapping[str, Any]) -> Product:
    """Return a product under Merchant's names; the Merchant API keeps what describes it among `attributes`."""
    nested = told.get("productAttributes") or told.get("attributes")
    of = nested if isinstance(nested, Mapping) else told
    found = {name: _text(of.get(theirs)) for theirs, name in _NAMES.items()}
    found["availability"] = found["availability"].lower()
    types = of.get("productTypes")
    found["product_type"] = _text(types[0]) if isinstance(types, list) and types else ""
    found["id"] = _text(told.get("offerId") or told.get("id"))
    found["price"], found["sale_price"] = _price(of.get("price")), _price(of.get("salePrice"))
    found["sale_price_effective_date"] = _period(of.get("salePriceEffectiveDate"))
    return {name: value for name, value in found.items() if value}


def _price(told: Any) -> str:
    """Return "15.00 USD" of a value and a currency, or of millionths (`amountMicros`) and a currency code."""
    if not isinstance(told, Mapping):
        return _text(told)
    amount, currency = _text(told.get("value")), _text(told.get("currency") or told.get("currencyCode"))
    if told.get("amountMicros") is not None:
        micros = _text(told["amountMicros"])
        amount = f"{Decimal(micros) / _MICROS:f}" if micros.isdigit() and len(micros) <= _LONGEST else micros
    return f"{amount} {currency}".strip()


def _period(told: Any) -> str:
    if isinstance(told, Mapping):
        return f"{_text(told.get('startTime'))}/{_text(told.get('endTime'))}"
    return _text(told)


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
