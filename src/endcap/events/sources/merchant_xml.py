"""A Google Merchant feed as XML: RSS 2.0 (`item`) or Atom (`entry`), with Merchant's names in their namespace."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from xml.parsers.expat import ExpatError, ParserCreate

from endcap.core.errors import Code, SourceError
from endcap.events.feed import Product
from endcap.events.sources.lines import read_content

__all__ = ["merchant_xml_products"]

_PRODUCTS = ("item", "entry")
_MERCHANT = "base.google.com/ns/1.0"


def merchant_xml_products(path: Path) -> Iterator[tuple[int, Product]]:
    """Yield the products of a feed with their places.

    Args:
        path: The file.

    Raises:
        SourceError: The file is missing, or no XML, or declares entities of its own.
    """
    content = read_content(path)
    try:
        _refuse_doctype(content)
        root = ET.fromstring(content)  # noqa: S314 - what could be harmful in it is refused above
    except (ET.ParseError, ExpatError, ValueError, LookupError) as error:
        raise _unreadable(path, str(error)) from error
    products = (element for element in root.iter() if _name(element) in _PRODUCTS)
    for place, element in enumerate(products):
        yield place, _product(element)


def _refuse_doctype(content: bytes) -> None:
    """Refuse a document type, in which entities are declared: no feed needs one.

    Raises:
        ValueError: There is one.
    """

    def refuse(*_: object) -> None:
        raise ValueError("it declares a document type")

    parser = ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(content, True)  # noqa: FBT003 - all of it


def _product(element: ET.Element) -> Product:
    """Return what an element says, Merchant's own names before those of RSS and Atom.

    Of what it says several times the first counts, and nothing that has parts of its own.
    """
    found: dict[str, str] = {}
    for child in sorted(element, key=lambda each: _MERCHANT not in each.tag):
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
