"""A user's last rows of events, packed: what features of now are computed from, in a bundle and in the live state.

An event of a name that some feature sums up has a row for each item, any other has one row without an item: it tells
that the user was there. Ids are 64 bits long here: of one user's events or items, two are taken for one once in 10^13.
U users, R rows.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from endcap.core.clock import DAY_US
from endcap.core.landed import LandedEvent
from endcap.core.tables import CANONICAL_EVENT_NAMES
from endcap.features.declared import LONGEST_DAYS, of_instants
from endcap.features.keyed_arrays import KEY, damaged, keys_array, mapped, place_of

__all__ = [
    "HORIZON_US",
    "NEEDS_ITEM",
    "PACKING",
    "SUMMED",
    "UNKNOWN",
    "PastRows",
    "VisitorRows",
    "pack",
    "rows_of_columns",
]

Rows = NDArray[np.void]

_ROW = np.dtype([("at_us", "<i8"), ("event", "<u8"), ("item", "<u8"), ("price_minor", "<i8"), ("name", "u1")])
_FILES = ("keys.npy", "starts.npy", "rows.npy", "cuts.npy", "facts.npy")
_WHAT = "rows of visitors"
_USUAL_GAP_US = 1_800_000_000
_ODD = 0x9E3779B97F4A7C15
_64_BITS = (1 << 64) - 1

HORIZON_US = (LONGEST_DAYS + 4) * DAY_US
"""Rows that are older than this, counted from a user's newest, are dropped: the longest window, what it takes to tell
where its sessions start (two days and a gap), and the day by which a clock may be ahead."""

UNKNOWN = 1 << 62
"""A cut after which nothing can be: nothing is known for certain."""

SUMMED = tuple(sorted({name for feature in of_instants() for name in (*feature.of, *feature.per)}))
"""The events whose items are kept."""

NEEDS_ITEM = ("select_item", "view_item", "add_to_wishlist", "add_to_cart", "remove_from_cart")
"""Events that say nothing without an item: ingest puts such rows into quarantine."""

PACKING = hashlib.sha256(repr((_ROW.descr, SUMMED)).encode()).hexdigest()[:8].encode()
"""Names the form of rows: what was packed in another is made again."""


@dataclass(frozen=True)
class VisitorRows:
    """What is known of a user's events.

    Args:
        rows: R rows in order of time.
        cut_us: Rows before this instant may be missing; 0 where all are there.
        arrived_us: When the last event of them reached us; 0 where that is not kept.
    """

    rows: Rows = field(default_factory=lambda: np.zeros(0, _ROW))
    cut_us: int = 0
    arrived_us: int = 0

    def joined(self, later: "VisitorRows") -> "VisitorRows":
        """Return the rows of both; an event that both know is there once.

        Args:
            later: Others of the same user, in any order of time.
        """
        new = later.rows[~np.isin(later.rows["event"], self.rows["event"])]
        rows = np.concatenate([self.rows, new]) if len(new) else self.rows
        order = np.lexsort((rows["event"], rows["at_us"])) if len(new) else slice(None)
        return VisitorRows(rows[order], max(self.cut_us, later.cut_us), max(self.arrived_us, later.arrived_us))

    def after(self, at_us: int) -> "VisitorRows":
        """Return the rows that are later than an instant; what is known to be missing stays missing."""
        return VisitorRows(self.rows[self.rows["at_us"] > at_us], self.cut_us, self.arrived_us)

    def holds(self, at_us_E: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return of E instants whether there is a row at them: a user does one thing at a time."""
        return np.isin(at_us_E, self.rows["at_us"])

    @property
    def last_us(self) -> int | None:
        """Instant of the last row; None without any."""
        return int(self.rows["at_us"][-1]) if len(self.rows) else None

    def limited(self, most: int) -> "VisitorRows":
        """Return the latest rows, with the cut that this makes; rows of one instant stay or go together.

        What is left does not depend on the order in which rows came, nor on how often they were limited before.

        Args:
            most: Most rows kept.
        """
        rows, cut_us = self.rows, self.cut_us
        if len(rows):
            cut_us = max(cut_us, int(rows["at_us"][-1]) - HORIZON_US)
            rows = rows[np.searchsorted(rows["at_us"], cut_us) :]
        if len(rows) > most:
            cut_us = int(rows["at_us"][len(rows) - most - 1]) + 1
            rows = rows[np.searchsorted(rows["at_us"], cut_us) :]
        return VisitorRows(rows, cut_us, self.arrived_us)

    def encoded(self) -> bytes:
        """Return the bytes from which `decoded` makes the same again."""
        return np.array([self.cut_us, self.arrived_us], "<i8").tobytes() + self.rows.tobytes()

    @classmethod
    def decoded(cls, found: bytes) -> Self:
        """Read what `encoded` wrote.

        Raises:
            ValueError: The bytes are damaged.
        """
        if len(found) < 16 or (len(found) - 16) % _ROW.itemsize:
            raise ValueError(f"a visitor's rows are {len(found)} bytes long")
        cut_us, arrived_us = np.frombuffer(found[:16], "<i8").tolist()
        return cls(np.frombuffer(found, _ROW, offset=16), cut_us, arrived_us)


def pack(events: Iterable[LandedEvent]) -> VisitorRows:
    """Pack events of one user as the server has taken them in.

    An event that ingest will put into quarantine for want of an item has no row.
    """
    found, arrived_us = [], 0
    for event in sorted(events, key=lambda each: each.at_us):
        items = [item for item in event.items if item.item_id is not None]
        if event.event_name not in CANONICAL_EVENT_NAMES or (not items and event.event_name in NEEDS_ITEM):
            continue
        arrived_us = max(arrived_us, event.at_us if event.received_us is None else event.received_us)
        name, key = 1 + CANONICAL_EVENT_NAMES.index(event.event_name), _event_key(event.event_id)
        told = items if event.event_name in SUMMED else []
        prices = (
            (_item_key(item.item_id or ""), -1 if item.price_minor is None else item.price_minor) for item in told
        )
        found += [(event.at_us, key, item, price, name) for item, price in list(prices) or [(0, -1)]]
    return VisitorRows().joined(VisitorRows(np.array(found, _ROW), 0, arrived_us))


def _event_keys(event_ids: Sequence[str]) -> NDArray[np.uint64]:
    """Return the 64-bit keys of events, as `pack` makes them one by one."""
    halves = np.frombuffer(bytes.fromhex("".join(event_ids)), ">u8").astype(np.uint64).reshape(-1, 2)
    keys: NDArray[np.uint64] = halves[:, 0] * np.uint64(_ODD) + halves[:, 1]
    return keys


def _event_key(event_id: str) -> int:
    number = int(event_id, 16)
    return ((number >> 64) * _ODD + number) & _64_BITS


def _item_key(item_id: str) -> int:
    """Return a number of an item's own, never 0."""
    return int.from_bytes(hashlib.blake2b(item_id.encode(), digest_size=8).digest(), "little") or 1


def rows_of_columns(
    at_us: NDArray[np.int64],
    event_ids: Sequence[str],
    names: tuple[NDArray[np.int64], Sequence[str]],
    items: tuple[NDArray[np.int64], Sequence[str]],
    prices: NDArray[np.int64],
) -> Rows:
    """Pack R rows of EVENTS, in their order.

    Args:
        at_us: R instants.
        event_ids: R ids.
        names: R places in a list of different event names, and the list.
        items: R places in a list of different items, -1 for a row without an item, and the list.
        prices: R prices in minor units, -1 where unknown.
    """
    rows = np.zeros(len(at_us), _ROW)
    rows["at_us"], rows["event"], rows["price_minor"] = at_us, _event_keys(event_ids), prices
    codes = np.array([1 + CANONICAL_EVENT_NAMES.index(name) for name in names[1]], np.uint8)
    keys = np.array([*(_item_key(item) for item in items[1]), 0], np.uint64)
    if len(rows):
        is_summed = np.isin(codes, [1 + CANONICAL_EVENT_NAMES.index(name) for name in SUMMED])[names[0]]
        rows["name"], rows["item"] = codes[names[0]], np.where(is_summed, keys[items[0]], 0)
        rows["price_minor"] = np.where(is_summed, rows["price_minor"], -1)
    return rows


class PastRows:
    """The rows of a bundle: what its tables know of each user's last events. Processes share one copy in memory.

    Args:
        keys: U keys of 32 bytes, ascending.
        starts: U+1 offsets.
        rows: R rows, each user's in order of time.
        cuts: U instants before which rows of that user may be missing.
        since_us: The same for every other user.
        gap_us: The pause that ended a session in these tables.
    """

    def __init__(
        self,
        keys: NDArray[np.bytes_],
        starts: NDArray[np.int64],
        rows: Rows,
        cuts: NDArray[np.int64],
        *,
        since_us: int,
        gap_us: int,
    ) -> None:
        self._keys, self._starts, self._rows, self._cuts, self._since_us = keys, starts, rows, cuts, since_us
        self.gap_us = gap_us

    @classmethod
    def of_nobody(cls) -> Self:
        """Return the past of a bundle that tells none: nothing is known for certain."""
        nothing = np.zeros(0, np.int64)
        return cls(np.zeros(0, KEY), np.zeros(1, np.int64), np.zeros(0, _ROW), nothing,
                   since_us=UNKNOWN, gap_us=_USUAL_GAP_US)  # fmt: skip

    @classmethod
    def of_users(
        cls, user_keys: Sequence[str], starts: NDArray[np.int64], rows: Rows, *, most: int, since_us: int, gap_us: int
    ) -> Self:
        """Take rows in, of each user at most `most`.

        Args:
            user_keys: U keyed hashes of 32 hex digits, ascending, each once.
            starts: U+1 offsets into `rows`.
            rows: R rows, each user's in any order.
            most: Most rows kept of a user.
            since_us: No earlier rows are among them.
            gap_us: The pause that ended a session in the tables.
        """
        user_R = np.repeat(np.arange(len(user_keys)), np.diff(starts))
        rows = rows[np.lexsort((rows["event"], rows["at_us"], user_R))]
        is_kept, cuts = np.ones(len(rows), bool), np.full(len(user_keys), since_us, np.int64)
        for user in np.flatnonzero(np.diff(starts) > most).tolist():
            first, last = int(starts[user]), int(starts[user + 1])
            cuts[user] = rows["at_us"][last - most - 1] + 1
            is_kept[first:last] = rows["at_us"][first:last] >= cuts[user]
        kept = np.bincount(user_R[is_kept], minlength=len(user_keys))
        keys = keys_array(user_keys)
        return cls(keys, np.concatenate([[0], np.cumsum(kept)]).astype(np.int64), rows[is_kept], cuts,
                   since_us=since_us, gap_us=gap_us)  # fmt: skip

    def save(self, folder: Path) -> None:
        """Write everything into an existing folder; the bytes depend on the content alone."""
        facts = np.array([self._since_us, self.gap_us], np.int64)
        arrays: list[NDArray[Any]] = [self._keys, self._starts, self._rows, self._cuts, facts]
        for name, array in zip(_FILES, arrays, strict=True):
            np.save(folder / name, array, allow_pickle=False)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Map what `save` wrote; a folder that is not there is the past of a bundle made before there was one.

        Raises:
            BundleError: A file is missing, damaged or does not fit the others.
        """
        if not folder.exists():
            return cls.of_nobody()
        keys, starts, rows, cuts, facts = mapped(folder, _FILES, what=_WHAT)
        kinds = [array.dtype for array in (keys, starts, rows, cuts, facts)]
        whole = np.dtype(np.int64)
        if kinds != [KEY, whole, _ROW, whole, whole] or len(facts) != 2:
            told = ", ".join(str(kind) for kind in kinds)
            raise damaged(folder, f"{_WHAT} have types {told} and {len(facts)} facts")
        if len(starts) != len(keys) + 1 or int(starts[-1]) != len(rows) or len(cuts) != len(keys):
            told = f"{len(keys)} keys, {len(starts)} offsets, {len(rows)} rows, {len(cuts)} cuts"
            raise damaged(folder, f"{_WHAT} do not fit: {told}")
        return cls(keys, starts, rows, cuts, since_us=int(facts[0]), gap_us=int(facts[1]))

    def __len__(self) -> int:
        return len(self._keys)

    def of(self, user_key: str) -> VisitorRows:
        """Return a user's rows; none for a user who is not known."""
        place = place_of(self._keys, user_key)
        if place is None:
            return VisitorRows(cut_us=self._since_us)
        return VisitorRows(self._rows[self._starts[place] : self._starts[place + 1]], int(self._cuts[place]))
