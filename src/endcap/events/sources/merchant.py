"""A Google Merchant feed: one line a product, tab-separated, prices as "15.00 USD"."""

import csv
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from endcap.core.currency import CURRENCIES, minor_units_of
from endcap.core.errors import Code, SourceError, near
from endcap.core.tables import ITEMS, QUARANTINE
from endcap.engines.port import arrow_schema
from endcap.events.config import MerchantCatalogue

__all__ = ["FEED_COLUMNS", "Feed", "clean_category", "read_merchant", "read_price"]

FEED_COLUMNS = (
    "item_id",
    "title",
    "category",
    "brand",
    "price_minor",
    "currency",
    "availability",
    "link",
    "image_link",
)
"""Columns of a feed as items: those of ITEMS without versions and origin."""

_NEEDED = ("id", "title")
_AVAILABILITY = {
    "": "in_stock",
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
        items: Columns FEED_COLUMNS, ascending by item_id, each id once.
        quarantine: Lines that cannot be read, under the contract QUARANTINE; source_row counts lines after the header.
    """

    items: pa.Table
    quarantine: pa.Table


class _BadLineError(ValueError):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


def read_merchant(path: Path, settings: MerchantCatalogue, *, default_currency: str | None, day: str) -> Feed:
    """Read a feed.

    Args:
        path: The file.
        settings: Its column names, where they differ.
        default_currency: Of prices that name none.
        day: UTC day under which bad lines are booked.

    Raises:
        SourceError: The file is missing, no text, or lacks `id` or `title`.
    """
    good: dict[str, dict[str, Any]] = {}
    bad: list[dict[str, Any]] = []
    for place, line in _lines(path, settings):
        try:
            item = _item(line, default_currency)
            if item["item_id"] in good:
                raise _BadLineError("item_id_repeated", f"id = {item['item_id']}")  # noqa: TRY301 - one place books bad lines
            good[item["item_id"]] = item
        except _BadLineError as fault:
            bad.append(_rejected(path, place, line, fault, day))
    schema = pa.schema([arrow_schema(ITEMS).field(name) for name in FEED_COLUMNS])
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


def _lines(path: Path, settings: MerchantCatalogue) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each line with its place; a line with another number of fields has the key "" with all of its text."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter="\t")
            header = _header(next(rows, []), settings, path)
            for place, row in enumerate(rows):
                if len(row) == len(header):
                    yield place, dict(zip(header, (value.strip() for value in row), strict=True))
                elif any(row):
                    yield place, {"": "\t".join(row)}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(
            f"the catalogue cannot be read: {error}",
            where=path.name,
            fix="correct events.catalogue.file in endcap.toml, or export the feed again as UTF-8 text with tabs",
            code=Code.SOURCE_UNREADABLE if path.exists() else Code.SOURCE_MISSING,
        ) from error


def _header(header: list[str], settings: MerchantCatalogue, path: Path) -> list[str]:
    """Return the header in Merchant names."""
    ours = {theirs: name for name, theirs in settings.columns.items()}
    named = [ours.get(name.strip(), name.strip()) for name in header]
    for name in (*_NEEDED, *settings.columns):
        if name not in named:
            raise SourceError(
                f"the catalogue has no column {settings.columns.get(name, name)!r}; {near(name, named)}",
                where=path.name,
                fix=f'add it, or say under [events.catalogue] which column it is: columns = {{ {name} = "..." }}',
                code=Code.SOURCE_COLUMN,
            )
    return named


def _item(line: Mapping[str, str], default_currency: str | None) -> dict[str, Any]:
    if "" in line:
        reason = "line_unreadable"
        raise _BadLineError(reason, "number of fields differs from the header")

    def told(name: str) -> str | None:
        value = line.get(name, "")
        return None if value in ("", "(not set)") else value

    item_id = told("id")
    if item_id is None:
        reason = "item_missing"
        raise _BadLineError(reason, "id")
    price_minor, currency = _price(told("price"), default_currency)
    return {
        "item_id": item_id,
        "title": told("title") or item_id,
        "category": clean_category(line.get("product_type", "") or line.get("google_product_category", "")),
        "brand": told("brand"),
        "price_minor": price_minor,
        "currency": currency,
        "availability": _availability(line.get("availability", "")),
        "link": told("link"),
        "image_link": told("image_link"),
    }


def _price(written: str | None, default_currency: str | None) -> tuple[int | None, str | None]:
    if written is None:
        return None, None
    try:
        return read_price(written, default_currency)
    except ValueError as error:
        raise _BadLineError(str(error), f"price = {written[:_SHOWN]}") from error


def _availability(written: str) -> str:
    known = _AVAILABILITY.get(written.strip().lower().replace(" ", "_"))
    if known is None:
        reason = "availability_unknown"
        raise _BadLineError(reason, f"availability = {written[:_SHOWN]}")
    return known


def _rejected(path: Path, place: int, line: Mapping[str, str], fault: _BadLineError, day: str) -> dict[str, Any]:
    return {
        "date_partition": day,
        "reason": fault.reason,
        "detail": fault.detail,
        "source_file": path.name,
        "source_row": place,
        "item_ordinal": 0,
        "event_name": None,
        "at_us": None,
        "item_id": line.get("id") or None,
        "user_key": None,
        "row_digest": hashlib.sha256("\t".join(line.values()).encode()).hexdigest()[:32],
    }
