"""A Google Merchant feed as text: one line a product, tab-separated, prices as "15.00 USD"."""

import csv
from collections.abc import Iterator
from pathlib import Path

from endcap.core.errors import Code, SourceError, near
from endcap.events.catalogue_config import MerchantCatalogue
from endcap.events.feed import Product, Unread
from endcap.events.sources.lines import read_content, unreadable

__all__ = ["merchant_products"]

_NEEDED = ("id", "title")


def merchant_products(path: Path, settings: MerchantCatalogue) -> Iterator[tuple[int, Product | Unread]]:
    """Yield what each line says, with its place after the header.

    Args:
        path: The file.
        settings: Its column names, where they differ.

    Raises:
        SourceError: The file is missing, no text, or lacks `id` or `title`.
    """
    rows = _rows(path)
    header = _header(next(rows, []), settings, path)
    for place, row in enumerate(rows):
        if len(row) == len(header):
            yield place, dict(zip(header, (value.strip() for value in row), strict=True))
        elif any(row):
            yield place, Unread("\t".join(row), "number of fields differs from the header")


def _rows(path: Path) -> Iterator[list[str]]:
    """Yield the fields of each line. A line is a product: a quote that is left open does not take in the next one."""
    try:
        text = read_content(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise unreadable(path, error) from error
    for line in text.splitlines():
        is_quoted = line.count('"') % 2 == 0
        yield next(csv.reader([line], delimiter="\t")) if is_quoted and line else line.split("\t") if line else []


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
