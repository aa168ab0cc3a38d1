"""JSON documents of catalogues: one, a list of them, one a line, or those of an HTML page."""

from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from endcap.events.feed import Unread
from endcap.events.sources.lines import decode_json, plain_name, read_content, split_lines

__all__ = ["read_documents"]

_NOT_JSON, _NOT_TEXT = "no JSON", "no UTF-8 text"


class _Scripts(HTMLParser):
    """Collects what stands in the scripts of JSON-LD."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._is_in = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a script."""
        self._is_in = tag == "script" and "ld+json" in (dict(attrs).get("type") or "").lower()
        if self._is_in:
            self.found.append("")

    def handle_endtag(self, _tag: str) -> None:
        """End it."""
        self._is_in = False

    def handle_data(self, data: str) -> None:
        """Go on with it."""
        if self._is_in:
            self.found[-1] += data


def read_documents(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield each document with its place: of a list the entries, of JSON lines the lines, of a page its scripts.

    What is no JSON is `Unread`.

    Args:
        path: A file that ends in .json, .jsonld, .jsonl, .ndjson or .html, maybe packed.

    Raises:
        SourceError: The file is missing or damaged.
    """
    content, name = read_content(path), plain_name(path)
    if name.endswith((".html", ".htm")):
        yield from enumerate(_of_page(content))
    elif name.endswith((".jsonl", ".ndjson")):
        for place, line in split_lines(content):
            yield place, _decoded(line)
    else:
        document = _decoded(content)
        if isinstance(document, Unread) and b"}\n" in content.strip():  # one document a line, whatever the name says
            yield from ((place, _decoded(line)) for place, line in split_lines(content))
        else:
            yield from enumerate(document if isinstance(document, list) else [document])


def _of_page(content: bytes) -> Iterator[Any]:
    """Yield the documents of a page. Some pages escape what stands in their scripts, which HTML does not undo."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        yield Unread(content.decode("utf-8", "replace"), _NOT_TEXT)
        return
    scripts = _Scripts()
    scripts.feed(text)
    for script in scripts.found:
        found = _decoded(script.encode())
        yield _decoded(unescape(script).encode()) if isinstance(found, Unread) else found


def _decoded(content: bytes) -> Any:
    try:
        return decode_json(content)
    except ValueError:
        return Unread(content.decode("utf-8", "replace"), _NOT_JSON)
