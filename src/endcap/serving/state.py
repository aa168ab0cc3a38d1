"""A visitor's live state: the last items, in the key-value store, changed by each event before it is acknowledged."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from endcap.core.landed import LandedEvent
from endcap.serving.landed import read_segment, segments_since
from endcap.stores.kv import Change, KeyValues

__all__ = ["Element", "VisitorState"]


class Element(msgspec.Struct, frozen=True, array_like=True, order=True):
    """One event x item, in the order in which tables order them.

    Args:
        at_us: Instant of the event, microseconds UTC.
        item_id: The item.
        event_name: GA4 name.
    """

    at_us: int
    item_id: str
    event_name: str


_decoder = msgspec.msgpack.Decoder(list[Element])
_encoder = msgspec.msgpack.Encoder()
_MADE = b"made"


class VisitorState:
    """The last elements of each visitor.

    Args:
        kv: Where they are kept.
        events: Names of the events that count.
        length: Most elements kept of a visitor.
    """

    def __init__(self, kv: KeyValues, *, events: Iterable[str], length: int) -> None:
        self._kv = kv
        self._events = frozenset(events)
        self._length = length

    def elements(self, user_key: str) -> list[Element]:
        """Return a visitor's last elements, oldest first; empty for one who is not known.

        Raises:
            StoreError: The store cannot be used.
        """
        found = self._kv.get(_key(user_key))
        return _decoder.decode(found) if found else []

    def record(self, events: Iterable[LandedEvent]) -> None:
        """Add events to the states of their visitors. Adding an event twice changes nothing.

        Raises:
            StoreError: The store cannot be used; no state was changed.
        """
        added: dict[bytes, list[Element]] = {}
        for event in events:
            elements = [
                Element(event.at_us, item.item_id, event.event_name) for item in event.items if item.item_id is not None
            ]
            if elements and event.event_name in self._events:
                added.setdefault(_key(event.user_key), []).extend(elements)
        if added:
            self._kv.change({key: self._adding(elements) for key, elements in added.items()})

    def restore(self, folder: Path, *, since_us: int) -> int:
        """Make the states again from the event log, if the store is new.

        Args:
            folder: `landing/events`.
            since_us: Segments begun before this are left out: the bundle knows what is in them.

        Returns:
            How many segments were read.
        """
        if self._kv.get(_MADE) is not None:
            return 0
        segments = segments_since(folder, since_us)
        for path in segments:
            self.record(read_segment(path))
        self._kv.put(_MADE, b"1")
        return len(segments)

    def _adding(self, elements: list[Element]) -> Change:
        def change(old: bytes | None) -> bytes:
            known = _decoder.decode(old) if old else []
            return _encoder.encode(sorted({*known, *elements})[-self._length :])

        return change


def _key(user_key: str) -> bytes:
    return b"visitor:" + user_key.encode()
