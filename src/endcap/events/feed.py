"""A feed: the products of a catalogue, whatever its format, under the names and by the rules of Google Merchant."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa

from endcap.core.clock import instant_of
from endcap.core.currency import CURRENCIES, minor_units_of
from endcap.core.tables import CATALOGUE, QUARANTINE
from endcap.engines.port import arrow_schema

__all__ = ["FEED_COLUMNS", "Feed", "Product", "Unread", "clean_category", "feed_of", "read_price"]

Product = Mapping[str, str]
"""What a catalogue says of a product, under Merchant names (id, title, product_type, brand, price, sale_price,
availability, link, image_link); what it does not say is "" or left out."""

FEED_COLUMNS = (
    "item_id",
    "title",
    "category",
    "brand",
    "price_minor",
    "currency",
    "sale_price_minor",
    "sale_currency",
    "sale_from_us",
    "sale_to_us",
    "availability",
    "link",
    "image_link",
)
"""Columns of what is said of an item: those of CATALOGUE without where and when it is said."""

_AVAILABILITY = {
    "preorder": "preorder",
    "in_stock": "in_stock",
    "out_of_stock": "out_of_stock",
    "backorder": "backorder",
}
_AMOUNT = re.compile(r"^([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(\.[0-9]+)?$")
_MOST_MINOR = 10**13
_SHOWN = 60


@dataclass(frozen=True)
class Feed:
    """What a feed says.

    Args:
        items: Columns FEED_COLUMNS, ascending by item_id, each id once. Of a sale whose time is not told both ends are
            missing.
        quarantine: Lines that cannot be read, under the contract QUARANTINE; source_row counts lines after the header.
    """

    items: pa.Table
    quarantine: pa.Table


@dataclass(frozen=True)
class Unread:
    """A place of a catalogue where no product can be read.

    Args:
        text: What stands there.
        why: What is wrong with it.
    """

    text: str
    why: str


class _BadLineError(ValueError):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


def feed_of(
    products: Iterable[tuple[int, Product | Unread]],
    file: str,
    *,
    default_currency: str | None,
    day: str,
    is_update: bool = False,
) -> Feed:
    """Judge what a catalogue says of its products, or an update of some.

    Args:
        products: What stands at each place of the file; places count from 0.
        file: Name of the file.
        default_currency: Of prices that name none.
        day: Partition of QUARANTINE under which bad lines are booked.
        is_update: Whether only price and stock are read, and a stock that is not told is missing: of a feed it is
            `in_stock` then.
    """
    good: dict[str, dict[str, Any]] = {}
    bad: list[dict[str, Any]] = []
    for place, product in products:
        try:
            item = _item(product, default_currency, is_update=is_update)
            if item["item_id"] in good:
                raise _BadLineError("item_id_repeated", f"id = {item['item_id']}")  # noqa: TRY301 - one place books bad lines
            good[item["item_id"]] = item
        except _BadLineError as fault:
            bad.append(_rejected(file, place, product, fault, day))
    schema = pa.schema([arrow_schema(CATALOGUE).field(name) for name in FEED_COLUMNS])
    items = pa.Table.from_pylist([good[item_id] for item_id in sorted(good)], schema=schema)
    return Feed(items=items, quarantine=pa.Table.from_pylist(bad, schema=arrow_schema(QUARANTINE)))


def read_price(written: str, default_currency: str | None) -> tuple[int, str]:
    """Read a price into minor units and its currency.

    >>> read_price("15.00 USD", None), read_price("1,299 JPY", None), read_price("15", "EUR")
    ((1500, 'USD'), (1299, 'JPY'), (1500, 'EUR'))

    Raises:
        ValueError: It is no price; the argument is a reason code.
    """
    words = written.split()
    codes = [word for word in words if word.upper() in CURRENCIES]
    amounts = [word for word in words if word.upper() not in CURRENCIES]
    currency = codes[0].upper() if codes else default_currency
    found = _AMOUNT.match(amounts[0]) if len(amounts) == 1 and len(codes) <= 1 else None
    if found is None:
        negative = len(amounts) == 1 and amounts[0].startswith("-")
        reason = "price_negative" if negative else "price_not_a_number"
        raise ValueError(reason)
    if currency is None:
        reason = "currency_missing"
        raise ValueError(reason)
    minor = minor_units_of(Decimal(amounts[0].replace(",", "")), currency)
    if minor > _MOST_MINOR:
        reason = "price_out_of_range"
        raise ValueError(reason)
    return minor, currency


def clean_category(written: str) -> str | None:
    """Return a category path as parts joined by `/`; `(not set)` and unfilled templates are missing.

    >>> clean_category("Home/Apparel/Men's/"), clean_category("Apparel > Shoes"), clean_category("(not set)")
    ("Home/Apparel/Men's", 'Apparel/Shoes', None)
    """
    if "${" in written or "{{" in written:
        return None
    parts = [part.strip() for part in re.split(r"/| > ", written)]
    parts = [part for part in parts if part and part != "(not set)"]
    return "/".join(parts) or None


def _item(product: Product | Unread, default_currency: str | None, *, is_update: bool) -> dict[str, Any]:
    if isinstance(product, Unread):
        reason = "line_unreadable"
        raise _BadLineError(reason, product.why)

    def told(name: str) -> str | None:
        value = product.get(name, "")
        return None if value in ("", "(not set)") else value

    item_id = told("id")
    if item_id is None:
        reason = "item_missing"
        raise _BadLineError(reason, "id")
    said = {"item_id": item_id, **_prices(told, default_currency)}
    if is_update:
        return {**said, "availability": _availability(product.get("availability", ""), unsaid=None)}
    return {
        **said,
        "title": told("title"),
        "category": clean_category(product.get("product_type", "") or product.get("google_product_category", "")),
        "brand": told("brand"),
        "availability": _availability(product.get("availability", ""), unsaid="in_stock"),
        "link": told("link"),
        "image_link": told("image_link"),
    }


def _prices(told: Callable[[str], str | None], default_currency: str | None) -> dict[str, Any]:
    """Return the price, and the price of a sale with its time."""
    price, sale = (_price(name, told(name), default_currency) for name in ("price", "sale_price"))
    period = _period(told("sale_price_effective_date")) if sale != (None, None) else (None, None)
    names = ("price_minor", "currency", "sale_price_minor", "sale_currency", "sale_from_us", "sale_to_us")
    return dict(zip(names, (*price, *sale, *period), strict=True))


def _price(name: str, written: str | None, default_currency: str | None) -> tuple[int | None, str | None]:
    if written is None:
        return None, None
    try:
        return read_price(written, default_currency)
    except ValueError as error:
        raise _BadLineError(str(error), f"{name} = {written[:_SHOWN]}") from error


def _period(period: str | None) -> tuple[int | None, int | None]:
    """Return the first instant of a period "2026-03-01T08:00Z/2026-03-08T08:00Z" and the first one after it."""
    if period is None:
        return None, None
    try:
        first, end = (instant_of(each) for each in period.split("/"))
    except ValueError as error:
        reason = "sale_period_unreadable"
        raise _BadLineError(reason, f"sale_price_effective_date = {period[:_SHOWN]}") from error
    return first, end


def _availability(written: str, *, unsaid: str | None) -> str | None:
    if not written.strip():
        return unsaid
    known = _AVAILABILITY.get(written.strip().lower().replace(" ", "_"))
    if known is None:
        reason = "availability_unknown"
        raise _BadLineError(reason, f"availability = {written[:_SHOWN]}")
    return known


def _rejected(file: str, place: int, product: Product | Unread, fault: _BadLineError, day: str) -> dict[str, Any]:
    text = product.text if isinstance(product, Unread) else "\t".join(product.values())
    return {
        "date_partition": day,
        "reason": fault.reason,
        "detail": fault.detail,
        "source_file": file,
        "source_row": place,
        "item_ordinal": 0,
        "event_name": None,
        "at_us": None,
        "item_id": None if isinstance(product, Unread) else product.get("id") or None,
        "user_key": None,
        "row_digest": hashlib.sha256(text.encode()).hexdigest()[:32],
    }
