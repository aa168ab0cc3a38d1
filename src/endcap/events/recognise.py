"""Which nested source a text file holds, by its first line; and what of it is looked at before anything is read."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from endcap.core.errors import SourceError
from endcap.events.sources.lines import plain_name, read_content, split_lines
from endcap.events.sources.segment import calls_of, tell_segment
from endcap.events.sources.snowplow import snowplow_event, tell_snowplow
from endcap.events.sources.told import Tell, decoded
from endcap.events.sources.vertex import tell_vertex

__all__ = ["NESTED_NAMES", "event_names", "nested_kind"]

NESTED_NAMES = {
    "ga4": "a GA4 BigQuery export as JSON",
    "segment": "Segment's calls",
    "snowplow": "Snowplow's enriched events",
    "vertex": "user events of Google's commerce search",
}
"""What people call each kind."""

_JSON = (".jsonl", ".ndjson", ".json")
_TEXT = (".tsv", ".txt")
_LOOKED_AT = 1 << 22  # bytes
_SIGNS = (
    ("ga4", ("event_timestamp", "event_name", "event_params")),
    ("segment", ("messageId", "type")),
    ("vertex", ("eventType", "visitorId")),
    ("snowplow", ("collector_tstamp", "event_id")),
)
_TELLS: dict[str, Tell] = {
    "ga4": lambda event: {"event_name": event.get("event_name")},
    "segment": tell_segment,
    "snowplow": tell_snowplow,
    "vertex": tell_vertex,
}


def nested_kind(path: Path) -> str:
    """Return the kind of nested source that a text file holds, "" for none."""
    for most in (1 << 16, _LOOKED_AT):  # the first line may be a long one
        for event in _events(path, most=most):
            return next((kind for kind, names in _SIGNS if {*names} <= set(event)), "")
    return ""


def event_names(path: Path, kind: str) -> dict[str, int]:
    """Count the events at the beginning of a file by their names, "" for those that have none."""
    tell = _TELLS[kind]
    return dict(Counter(tell(event).get("event_name") or "" for event in _events(path, most=_LOOKED_AT)))


def _events(path: Path, *, most: int) -> list[Mapping[str, Any]]:
    """Return the events at the beginning of a file; the last line may be cut, and what is no event is passed over."""
    name = plain_name(path)
    if not name.endswith((*_JSON, *_TEXT)):
        return []
    try:
        head = read_content(path, most=most)
    except SourceError:
        return []
    if name.endswith(".json") and head.lstrip()[:1] == b"[":
        told = _of_list(head.decode("utf-8", "replace"))
    else:
        read = snowplow_event if name.endswith(_TEXT) else decoded
        told = (read(line) for _, line in split_lines(head))
    return [call for each in told for call in calls_of(each) if isinstance(call, Mapping)]


def _of_list(text: str) -> Iterator[Any]:
    """Yield the entries of a list as far as it goes."""
    decoder, at = json.JSONDecoder(), text.index("[") + 1
    while True:
        at = len(text) - len(text[at:].lstrip(" \t\r\n,"))
        try:
            entry, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return
        yield entry
