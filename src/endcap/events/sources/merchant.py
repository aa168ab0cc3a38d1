"""A Google Merchant feed as text: one line a product, tab-separated, prices as "15.00 USD"."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from endcap.core.errors import Code, SourceError, near
from endcap.events.catalogue_config import MerchantCatalogue
from endcap.events.feed import Product, Unread
from endcap.events.sources.lines import plain_name, read_content, unreadable

__all__ = ["UPDATED", "merchant_products"]

UPDATED = ("price", "sale_price", "availability")
"""What an update of some products may say, beside their `id`; at least one of these."""

_NEEDED = ("id", "title")


def merchant_products(
    path: Path, settings: MerchantCatalogue, *, is_update: bool = False
) -> Iterator[tuple[int, Product | Unread]]:
    """Yield what each line says, with its place after the header.

    Args:
        path: The file.
        settings: Its column names, where they differ.
        is_update: Whether it is an update of some products, which needs no title; one named .csv has commas.

    Raises:
        SourceError: The file is missing, no text, or lacks `id` or `title`; an update that lacks `id` or all of
            UPDATED.
    """
    rows = _rows(path, "," if is_update and plain_name(path).endswith(".csv") else "\t")
    header = _named(next(rows, []), settings)
    says = next((name for name in UPDATED if name in header), UPDATED[0])
    _require(("id", says) if is_update else (*_NEEDED, *settings.columns), header, settings, path)
    for place, row in enumerate(rows):
        if len(row) == len(header):
            yield place, dict(zip(header, (value.strip() for value in row), strict=True))
        elif any(row):
            yield place, Unread("\t".join(row), "number of fields differs from the header")


def _rows(path: Path, delimiter: str) -> Iterator[list[str]]:
    """Yield the fields of each line. A line is a product: a quote that is left open does not take in the next one."""
    try:
        text = read_content(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise unreadable(path, error) from error
    for line in text.splitlines():
        is_quoted = line.count('"') % 2 == 0
        yield (
            next(csv.reader([line], delimiter=delimiter))
            if is_quoted and line
            else line.split(delimiter)
            if line
            else []
        )


def _named(header: list[str], settings: MerchantCatalogue) -> list[str]:
    """Return the header in Merchant names."""
    ours = {theirs: name for name, theirs in settings.columns.items()}
    return [ours.get(name.strip(), name.strip()) for name in header]


def _require(needed: Iterable[str], named: list[str], settings: MerchantCatalogue, path: Path) -> None:
    for name in needed:
        if name not in named:
            raise SourceError(
                f"the catalogue has no column {settings.columns.get(name, name)!r}; {near(name, named)}",
                where=path.name,
                fix=f'add it, or say under [events.catalogue] which column it is: columns = {{ {name} = "..." }}',
                code=Code.SOURCE_COLUMN,
            )
