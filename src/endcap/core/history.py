"""A visitor's history: which items, what was done with each, and when.

Shapes: E elements.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from endcap.core.sequences import EVENT_KINDS, Int32, Int64, Queries

__all__ = ["NO_HISTORY", "History", "kind_of"]

_KINDS = {name: number for number, name in enumerate(EVENT_KINDS)}


def kind_of(event_name: str) -> int:
    """Return the number of an event's kind in EVENT_KINDS.

    >>> kind_of("purchase"), kind_of("add_to_wishlist")
    (3, 0)
    """
    return _KINDS.get(event_name, 0)


@dataclass(frozen=True, eq=False)
class History:
    """E elements of one visitor, oldest first.

    Args:
        items: Of each, the item's number.
        events: Of each, the number of its kind in EVENT_KINDS; 0 also where it is not known.
        at_us: Of each, its instant, microseconds UTC; None where those of some are not known.
    """

    items: Int32
    events: NDArray[np.int8]
    at_us: Int64 | None

    @classmethod
    def of_items(cls, items: Sequence[int]) -> Self:
        """Return a history of which nothing but the items is known."""
        return cls(np.array(items, np.int32), np.zeros(len(items), np.int8), None)

    @classmethod
    def of(cls, elements: Sequence[tuple[int, int, int]]) -> Self:
        """Return the history of elements, oldest first.

        Args:
            elements: Item number, number of the event's kind, and instant of each.
        """
        items, events, at_us = zip(*elements, strict=True) if elements else ((), (), ())
        return cls(np.array(items, np.int32), np.array(events, np.int8), np.array(at_us, np.int64))

    def __len__(self) -> int:
        return len(self.items)

    def last(self, count: int) -> "History":
        """Return the latest elements, at most `count`."""
        first = max(0, len(self) - count)
        return History(self.items[first:], self.events[first:], None if self.at_us is None else self.at_us[first:])

    def then(self, later: "History") -> "History":
        """Return this history and what came after it; instants are known if all are.

        >>> History.of([(4, 1, 60)]).then(History.of([(5, 3, 90)])).at_us.tolist()
        [60, 90]
        """
        if not len(self) or not len(later):
            return self if len(self) else later
        known = [each.at_us for each in (self, later) if each.at_us is not None]
        return History(
            np.concatenate([self.items, later.items]),
            np.concatenate([self.events, later.events]),
            np.concatenate(known) if len(known) == 2 else None,
        )

    def with_late(self, others: "History") -> "History":
        """Return this history and others of known instants, each where it belongs.

        Elements of one instant stand by item, as in the tables; those of this history before equal ones.
        """
        whole = self.then(others)
        assert whole.at_us is not None, "an element without an instant belongs nowhere"
        order = np.lexsort((whole.items, whole.at_us))
        return History(whole.items[order], whole.events[order], whole.at_us[order])

    def query(self) -> Queries:
        """Return the one question that this history is."""
        return Queries(np.array([0, len(self)], np.int64), self.items, self.events, self.at_us)


NO_HISTORY = History.of([])
"""Of a visitor of whom nothing is known."""
