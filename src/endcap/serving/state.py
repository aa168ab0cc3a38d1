"""A visitor's live state, in the key-value store, changed by each event before it is acknowledged.

Two values a visitor: the last items, by which models recommend, and the last rows, from which features are computed.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec
import structlog

from endcap.core.landed import LandedEvent
from endcap.features.visitor_rows import PACKING, VisitorRows, pack
from endcap.serving.landed import read_segment, segments_since
from endcap.stores.kv import Change, KeyValues

__all__ = ["Element", "VisitorState"]


_log = structlog.get_logger()


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
_VISITOR = b"visitor:"
_ROWS = b"rows:" + PACKING + b":"
_ANY_ROWS = b"rows:"
# A state whose rows have another form is made again, as one that was lost is.
_MADE = b"made:" + PACKING
_CLOCKS_AHEAD_US = 86_400_000_000


class VisitorState:
    """The last elements and rows of each visitor.

    Args:
        kv: Where they are kept.
        events: Names of the events that are elements.
        length: Most elements kept of a visitor.
        num_rows: Most rows kept of a visitor.
    """

    def __init__(self, kv: KeyValues, *, events: Iterable[str], length: int, num_rows: int) -> None:
        self._kv = kv
        self._events = frozenset(events)
        self._length = length
        self._num_rows = num_rows

    def elements(self, user_key: str) -> list[Element]:
        """Return a visitor's last elements, oldest first; empty for one who is not known.

        Raises:
            StoreError: The store cannot be used.
        """
        return _decoded(self._kv.get(_key(user_key)))

    def rows(self, user_key: str) -> VisitorRows:
        """Return a visitor's last rows; none, and nothing cut, for one who is not known.

        Raises:
            StoreError: The store cannot be used.
            ValueError: The rows are damaged.
        """
        found = self._kv.get(_ROWS + user_key.encode())
        return VisitorRows.decoded(found) if found else VisitorRows()

    def record(self, events: Iterable[LandedEvent]) -> None:
        """Add events to the states of their visitors. Adding an event twice changes nothing.

        Raises:
            StoreError: The store cannot be used; no state was changed.
        """
        added: dict[bytes, list[Element]] = {}
        told: dict[bytes, list[LandedEvent]] = {}
        for event in events:
            told.setdefault(_ROWS + event.user_key.encode(), []).append(event)
            elements = [
                Element(event.at_us, item.item_id, event.event_name) for item in event.items if item.item_id is not None
            ]
            if elements and event.event_name in self._events:
                added.setdefault(_key(event.user_key), []).extend(elements)
        changes = {key: self._adding(elements) for key, elements in added.items()}
        changes |= {key: self._packing(pack(of_visitor)) for key, of_visitor in told.items()}
        if changes:
            self._kv.change(changes)

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

    def prune(self, *, until_us: int) -> int:
        """Forget the visitors who have done nothing since an instant, and states that cannot be read.

        Args:
            until_us: What happened before, the bundle knows.

        Returns:
            How many values were forgotten; 0 also where another process is at it.

        Raises:
            StoreError: The store cannot be used.
        """

        def is_old(key: bytes, value: bytes) -> bool:
            if key.startswith(_ANY_ROWS):
                return not key.startswith(_ROWS) or _are_old(value, until_us)
            if not key.startswith(_VISITOR):
                return False
            known = _decoded(value)
            return not known or known[-1].at_us < until_us

        return self._kv.prune(is_old)

    def _adding(self, elements: list[Element]) -> Change:
        def change(old: bytes | None) -> bytes:
            known = _decoded(old)
            return _encoder.encode(sorted({*known, *elements})[-self._length :])

        return change

    def _packing(self, new: VisitorRows) -> Change:
        def change(old: bytes | None) -> bytes:
            try:
                known = VisitorRows.decoded(old) if old else VisitorRows()
            except ValueError as error:
                _log.warning("state.damaged", error=str(error))
                # What is lost happened before now by its own clock: rows count again once they are later than that.
                known = VisitorRows(cut_us=new.arrived_us + _CLOCKS_AHEAD_US)
            return known.joined(new).limited(self._num_rows).encoded()

        return change


def _are_old(value: bytes, until_us: int) -> bool:
    """Whether a bundle knows all that a visitor's rows tell: what happened before, and had reached us by then."""
    try:
        known = VisitorRows.decoded(value)
    except ValueError:
        return False  # forgetting it would forget that something is lost
    return known.arrived_us < until_us and not (len(known.rows) and int(known.rows["at_us"][-1]) >= until_us)


def _key(user_key: str) -> bytes:
    return _VISITOR + user_key.encode()


def _decoded(found: bytes | None) -> list[Element]:
    """Read a state; one that a machine's crash has damaged begins anew."""
    if not found:
        return []
    try:
        return _decoder.decode(found)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        _log.warning("state.damaged", error=f"{type(error).__name__}: {error}")
        return []
