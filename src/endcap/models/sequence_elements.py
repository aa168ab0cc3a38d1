"""Histories as a sequence model reads them: items, what was done with them, and the time between.

Shapes: B histories, L places, E elements.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from endcap.core.sequences import Int32, Int64, Queries
from endcap.models.transitions import collapsed

__all__ = ["NUM_GAPS", "Collapsed", "Elements", "gaps_of"]

NUM_GAPS = 24
"""Buckets of pauses: 0 unknown or none before, then by powers of two of a second, to a hundred days."""


@dataclass(frozen=True)
class Elements:
    """B histories, padded behind their end; what stands there is read by nobody.

    Args:
        items_BL: Item numbers.
        events_BL: Numbers of kinds of events; 0 where unknown.
        gaps_BL: Buckets of the pause before each element; 0 where unknown.
        lengths_B: Elements of each history.
    """

    items_BL: Int64
    events_BL: Int64
    gaps_BL: Int64
    lengths_B: Int64

    @classmethod
    def of(cls, queries: Queries, length: int) -> Self:
        """Take the last elements of histories; repeated neighbours count once, as what was done last with the item.

        Args:
            queries: B histories.
            length: How many of each, at most.
        """
        whole = Collapsed.of(queries, length)
        return cls(*whole.padded(np.arange(len(queries), dtype=np.int64)), whole.lengths())


@dataclass(frozen=True)
class Collapsed:
    """B ragged histories as they are read, a third of the memory of padded ones or less.

    Args:
        starts: B+1 offsets.
        items_E: Item numbers.
        events_E: Numbers of kinds of events; 0 where unknown.
        gaps_E: Buckets of the pause before each element; 0 where unknown.
    """

    starts: Int64
    items_E: Int32
    events_E: NDArray[np.int8]
    gaps_E: NDArray[np.int8]

    @classmethod
    def of(cls, queries: Queries, length: int) -> Self:
        """Take the last elements of histories; see `Elements.of`."""
        first, last = int(queries.starts[0]), int(queries.starts[-1])
        group_E = np.repeat(np.arange(len(queries)), np.diff(queries.starts))
        items_E = queries.items[first:last]
        nothing_E = np.zeros(len(items_E), np.int8)
        events_E = nothing_E if queries.events is None else queries.events[first:last]
        gaps_E = nothing_E if queries.at_us is None else gaps_of(queries.at_us[first:last], group_E).astype(np.int8)
        stays_E = collapsed(items_E, group_E)
        if len(items_E):
            events_E = np.maximum.reduceat(events_E, np.flatnonzero(stays_E))
        group_E, items_E, gaps_E = group_E[stays_E], items_E[stays_E], gaps_E[stays_E]
        whole_B = np.bincount(group_E, minlength=len(queries))
        from_end_E = np.cumsum(whole_B)[group_E] - np.arange(len(group_E))
        kept_E = from_end_E <= length
        starts = np.concatenate([[0], np.cumsum(np.minimum(whole_B, length))]).astype(np.int64)
        return cls(starts, items_E[kept_E], events_E[kept_E], gaps_E[kept_E])

    def lengths(self) -> Int64:
        """Return the B lengths."""
        return np.diff(self.starts)

    def padded(self, rows: Int64) -> tuple[Int64, Int64, Int64]:
        """Return items, events and gaps of some histories, each rows x the longest of them, 0 behind their end."""
        lengths_B = self.starts[rows + 1] - self.starts[rows]
        shape = (len(rows), int(lengths_B.max(initial=0)))
        is_filled_BL = np.arange(shape[1]) < lengths_B[:, None]
        at_E = (self.starts[rows, None] + np.arange(shape[1]))[is_filled_BL]
        items_BL, events_BL, gaps_BL = (np.zeros(shape, np.int64) for _ in range(3))
        items_BL[is_filled_BL] = self.items_E[at_E]
        events_BL[is_filled_BL] = self.events_E[at_E]
        gaps_BL[is_filled_BL] = self.gaps_E[at_E]
        return items_BL, events_BL, gaps_BL


def gaps_of(at_us: Int64, group_E: NDArray[np.int64]) -> Int64:
    """Return the bucket of the pause before each element of its group, 0 for the first one.

    >>> gaps_of(np.array([0, 0, 1_000_000, 9_000_000, 5]), np.array([0, 0, 0, 0, 1])).tolist()
    [0, 1, 2, 4, 0]
    """
    pause_s = np.zeros(len(at_us))
    pause_s[1:] = np.maximum(np.diff(at_us), 0) / 1e6
    bucket = 1 + np.minimum(np.log2(1 + pause_s).astype(np.int64), NUM_GAPS - 2)
    opens = np.ones(len(at_us), bool)
    opens[1:] = group_E[1:] != group_E[:-1]
    return np.where(opens, 0, bucket)
