"""A Google Merchant feed as XML: RSS 2.0 (`item`) or Atom (`entry`), with Merchant's names in their namespace."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from endcap.core.errors import Code, SourceError
from endcap.events.feed import Product
from endcap.events.sources.lines import read_content

__all__ = ["merchant_xml_products"]

_PRODUCTS = ("item", "entry")


def merchant_xml_products(path: Path) -> Iterator[tuple[int, Product]]:
    """Yield the products of a feed with their places.

    Args:
        path: The file.

    Raises:
        SourceError: The file is missing, or no XML, or declares entities of its own.
    """
    content = read_content(path)
    if b"<!DOCTYPE" in content[:1024] or b"<!ENTITY" in content:
        raise _unreadable(path, "it declares entities, which no feed needs")
    try:
        root = ET.fromstring(content)  # noqa: S314 - what could be harmful in it is refused above
    except ET.ParseError as error:
        raise _unreadable(path, str(error)) from error
    products = (element for element in root.iter() if _name(element) in _PRODUCTS)
    for place, element in enumerate(products):
        yield place, _product(element)


def _product(element: ET.Element) -> Product:
    """Return what an element says; of what it says several times the first, and nothing that has parts of its own."""
    found: dict[str, str] = {}
    for child in element:
        text = (child.get("href", "") if _name(child) == "link" and not child.text else child.text or "").strip()
        if text and not len(child):
            found.setdefault(_name(child), text)
    return found


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _unreadable(path: Path, why: str) -> SourceError:
    return SourceError(
        f"the catalogue is no XML that can be read: {why}",
        where=path.name,
        fix="export the feed again, or correct events.catalogue.file in endcap.toml",
        code=Code.SOURCE_UNREADABLE,
    )
