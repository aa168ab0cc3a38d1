"""What the online path knows of a user: the last items, and all declared features at an instant, from packed rows.

A server loads of this room this file, `visitor_rows.py`, which packs them, `declared.py`, `device_owners.py` and
`keyed_arrays.py`; they need numpy and nothing else. U users, E elements, R rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from endcap.core.clock import DAY_US
from endcap.core.history import NO_HISTORY, History
from endcap.core.tables import CANONICAL_EVENT_NAMES
from endcap.features.declared import Feature, of_instants
from endcap.features.keyed_arrays import KEY, damaged, keys_array, mapped, place_of
from endcap.features.visitor_rows import UNKNOWN, VisitorRows

__all__ = ["NOTHING_KNOWN", "OnlineFeatures", "VisitorFeatures", "features_at", "write_histories"]

_FILES = ("keys.npy", "starts.npy", "items.npy")
_TOLD_FILES = ("events.npy", "at_us.npy")
"""What was done with the items, and when; a bundle that was made before these were kept has neither."""


def write_histories(folder: Path, user_keys: Sequence[str], starts: NDArray[np.int64], elements: History) -> None:
    """Write the histories of users into an existing folder; the bytes depend on the arguments alone.

    Args:
        folder: Where `keys.npy`, `starts.npy`, `items.npy`, `events.npy` and `at_us.npy` are put.
        user_keys: U keyed hashes of 32 hex digits, ascending, each once.
        starts: U+1 offsets into the elements.
        elements: E elements of known instants, those of a user one after the other, oldest first.
    """
    keys = keys_array(user_keys)
    assert (keys[1:] > keys[:-1]).all(), "user keys stand in ascending order, each once"
    assert len(starts) == len(keys) + 1 and int(starts[-1]) == len(elements), "starts are U+1 offsets of elements"  # noqa: PT018 - one law
    assert elements.at_us is not None, "instants are known"
    arrays: list[NDArray[Any]] = [keys, starts.astype(np.int64), elements.items, elements.events, elements.at_us]
    for name, array in zip((*_FILES, *_TOLD_FILES), arrays, strict=True):
        np.save(folder / name, array, allow_pickle=False)


class OnlineFeatures:
    """The histories of a bundle. Several processes share one copy of them in memory.

    Args:
        keys: U keys of 32 bytes, ascending.
        starts: U+1 offsets.
        elements: E elements, those of a user one after the other.
    """

    def __init__(self, keys: NDArray[np.bytes_], starts: NDArray[np.int64], elements: History) -> None:
        self._keys = keys
        self._starts = starts
        self._elements = elements

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Map what `write_histories` wrote, or an earlier version: then nothing but the items is known.

        Raises:
            BundleError: A file is missing, damaged or does not fit the others.
        """
        keys, starts, items = mapped(folder, _FILES, what="histories")
        if keys.dtype != KEY or starts.dtype != np.int64 or items.dtype != np.int32:
            raise damaged(folder, f"histories have types {keys.dtype}, {starts.dtype}, {items.dtype}")
        if len(starts) != len(keys) + 1 or int(starts[-1]) != len(items):
            raise damaged(folder, f"histories do not fit: {len(keys)} keys, {len(starts)} offsets, {len(items)} items")
        return cls(keys, starts, _elements(folder, items))

    def __len__(self) -> int:
        return len(self._keys)

    def history(self, user_key: str) -> History:
        """Return a user's last elements; none for a user who is not known."""
        place = place_of(self._keys, user_key)
        if place is None:
            return NO_HISTORY
        first, end, all_of = int(self._starts[place]), int(self._starts[place + 1]), self._elements
        at_us = None if all_of.at_us is None else all_of.at_us[first:end]
        return History(all_of.items[first:end], all_of.events[first:end], at_us)


def _elements(folder: Path, items: NDArray[np.int32]) -> History:
    """Map what was done with items, and when, if the bundle tells it."""
    if not any((folder / name).exists() for name in _TOLD_FILES):
        return History(items, np.zeros(len(items), np.int8), None)
    events, at_us = mapped(folder, _TOLD_FILES, what="histories")
    if events.dtype != np.int8 or at_us.dtype != np.int64:
        raise damaged(folder, f"histories have events of type {events.dtype} and instants of type {at_us.dtype}")
    if not len(items) == len(events) == len(at_us):
        told = f"{len(items)} items, {len(events)} events, {len(at_us)} instants"
        raise damaged(folder, f"histories do not fit: {told}")
    return History(items, events, at_us)


Value = int | float | None


@dataclass(frozen=True)
class VisitorFeatures:
    """A visitor's features at an instant.

    Args:
        values: Name -> value; None where it is missing.
        approximate: The names of those that may lack events: more happened than is kept.
    """

    values: Mapping[str, Value]
    approximate: tuple[str, ...] = ()


def features_at(known: VisitorRows, at_us: int, *, gap_us: int) -> VisitorFeatures:
    """Compute all features of a user and their session at an instant, as `instants.py` does from the tables.

    Args:
        known: The user's rows.
        at_us: The instant, microseconds UTC.
        gap_us: The pause that ends a session, microseconds.
    """
    past = _Past(known.rows[: np.searchsorted(known.rows["at_us"], at_us)], at_us, gap_us)
    return VisitorFeatures(
        MappingProxyType({feature.name: past.value(feature) for feature in _FEATURES}),
        tuple(feature.name for feature in _FEATURES if at_us - _reach_us(feature, gap_us) < known.cut_us),
    )


_FEATURES = of_instants()


def _reach_us(feature: Feature, gap_us: int) -> int:
    """Return how far back a feature depends on what happened, microseconds.

    Whether a session starts at an instant depends on the whole day before it, and the gap before that day's first.
    """
    if feature.days is None:
        return 3 * DAY_US + gap_us  # the session may have started on the day before
    return feature.days * DAY_US + (2 * DAY_US + gap_us if feature.how == "sessions" else 0)


class _Past:
    """A user's rows before an instant, in order.

    Args:
        rows: R rows.
        at_us: The instant.
        gap_us: The pause that ends a session.
    """

    def __init__(self, rows: NDArray[np.void], at_us: int, gap_us: int) -> None:
        self._rows = rows
        self._instants_R = np.ascontiguousarray(rows["at_us"])
        self._at_us = at_us
        self._gap_us = gap_us
        self._counts: dict[tuple[str, ...], NDArray[np.bool_]] = {}

    def value(self, feature: Feature) -> Value:
        """Return a feature's value."""
        if feature.days is not None:
            first_us = self._at_us - feature.days * DAY_US
        elif self._started_us is not None:
            first_us = self._started_us
        else:
            return feature.default
        found = _HOW[feature.how](self, feature, first_us)
        return feature.default if found is None else found

    @cached_property
    def _starts(self) -> tuple[NDArray[np.int64], bool]:
        """The instants at which sessions start, and whether the last one's day had a natural start."""
        instants = np.unique(self._instants_R)
        is_natural = np.diff(instants, prepend=instants[:1] - self._gap_us - 1) > self._gap_us
        days = instants // DAY_US
        is_first = np.diff(days, prepend=days[:1] - 1) > 0
        day = np.cumsum(is_first) - 1
        is_natural_day = np.maximum.reduceat(is_natural, np.flatnonzero(is_first))
        is_forced = is_first & ~is_natural_day[day - 1]  # of the very first day the start is natural
        return instants[is_natural | is_forced], bool(is_natural_day[-1])

    @cached_property
    def _started_us(self) -> int | None:
        """The start of the session that an event of this instant would belong to, None where it would open one."""
        if not len(self._rows):
            return None
        starts, is_natural_day = self._starts
        last_us = int(self._instants_R[-1])
        goes_on = last_us // DAY_US == self._at_us // DAY_US or is_natural_day
        return int(starts[-1]) if goes_on and self._at_us - last_us <= self._gap_us else None

    def _named(self, names: tuple[str, ...]) -> NDArray[np.bool_]:
        """Return which rows are of these events, R booleans."""
        if names not in self._counts:
            codes = [1 + CANONICAL_EVENT_NAMES.index(name) for name in names]
            self._counts[names] = np.isin(self._rows["name"], codes)
        return self._counts[names]

    def _since(self, first_us: int, names: tuple[str, ...]) -> NDArray[np.void]:
        """Return the rows of these events that name an item, from an instant on."""
        place = int(np.searchsorted(self._instants_R, first_us))
        rows = self._rows[place:]
        found: NDArray[np.void] = rows[self._named(names)[place:] & (rows["item"] != 0)]
        return found

    def count(self, feature: Feature, first_us: int) -> Value:
        """Count rows."""
        return len(self._since(first_us, feature.of))

    def rate(self, feature: Feature, first_us: int) -> Value:
        """Divide two counts."""
        per = len(self._since(first_us, feature.per))
        return len(self._since(first_us, feature.of)) / per if per else None

    def sum_price(self, feature: Feature, first_us: int) -> Value:
        """Add up prices."""
        prices = self._since(first_us, feature.of)["price_minor"]
        return int(prices[prices >= 0].sum())

    def mean_price(self, feature: Feature, first_us: int) -> Value:
        """Return the mean price in whole units, half up."""
        prices = self._since(first_us, feature.of)["price_minor"]
        prices = prices[prices >= 0]
        return (2 * int(prices.sum()) + len(prices)) // (2 * len(prices)) if len(prices) else None

    def distinct_items(self, feature: Feature, first_us: int) -> Value:
        """Count different items."""
        return len(np.unique(self._since(first_us, feature.of)["item"]))

    def sessions(self, _feature: Feature, first_us: int) -> Value:
        """Count starts of sessions."""
        return int((self._starts[0] >= first_us).sum()) if len(self._rows) else 0

    def seconds_since_last(self, feature: Feature, first_us: int) -> Value:
        """Return the time since the last of the events."""
        instants = self._instants_R[self._named(feature.of)] if feature.of else self._instants_R
        if not len(instants) or instants[-1] < first_us:
            return None
        return (self._at_us - int(instants[-1])) / 1_000_000

    def seconds_since_start(self, _feature: Feature, first_us: int) -> Value:
        """Return the session's age."""
        return (self._at_us - first_us) / 1_000_000


_HOW: dict[str, Callable[[_Past, Feature, int], Value]] = {
    "count": _Past.count,
    "rate": _Past.rate,
    "sum_price": _Past.sum_price,
    "mean_price": _Past.mean_price,
    "distinct_items": _Past.distinct_items,
    "sessions": _Past.sessions,
    "seconds_since_last": _Past.seconds_since_last,
    "seconds_since_start": _Past.seconds_since_start,
}

NOTHING_KNOWN = features_at(VisitorRows(cut_us=UNKNOWN), 0, gap_us=0)
"""The features of a visitor of whom nothing can be known: their defaults, none of them certain."""
