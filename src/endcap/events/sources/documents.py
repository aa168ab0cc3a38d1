"""JSON documents of catalogues: one, a list of them, one a line, or those of an HTML page."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import msgspec

from endcap.events.feed import Unread
from endcap.events.sources.lines import plain_name, read_content, split_lines

__all__ = ["read_documents"]

_SCRIPT = re.compile(rb"<script[^>]*application/ld\+json[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)
_NOT_JSON = "no JSON"


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
        for place, script in enumerate(_SCRIPT.findall(content)):
            yield place, _decoded(unescape(script.decode("utf-8", "replace")).encode())
    elif name.endswith((".jsonl", ".ndjson")):
        for place, line in split_lines(content):
            yield place, _decoded(line)
    else:
        document = _decoded(content)
        yield from enumerate(document if isinstance(document, list) else [document])


def _decoded(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Unread(content.decode("utf-8", "replace"), _NOT_JSON)
