"""Histories as a sequence model reads them: items, what was done with them, and the time between.

Shapes: B histories, L places, E elements.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from endcap.core.sequences import Int64, Queries
from endcap.models.transitions import collapsed

__all__ = ["NUM_GAPS", "Elements", "gaps_of"]

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
        first, last = int(queries.starts[0]), int(queries.starts[-1])
        group_E = np.repeat(np.arange(len(queries)), np.diff(queries.starts))
        items_E = queries.items[first:last].astype(np.int64)
        nothing_E = np.zeros(len(items_E), np.int64)
        events_E = nothing_E if queries.events is None else queries.events[first:last].astype(np.int64)
        gaps_E = nothing_E if queries.at_us is None else gaps_of(queries.at_us[first:last], group_E)
        stays_E = collapsed(items_E.astype(np.int32), group_E)
        if len(items_E):
            events_E = np.maximum.reduceat(events_E, np.flatnonzero(stays_E))
        group_E, items_E, gaps_E = group_E[stays_E], items_E[stays_E], gaps_E[stays_E]
        whole_B = np.bincount(group_E, minlength=len(queries))
        lengths_B = np.minimum(whole_B, length)
        place_E = np.arange(len(group_E)) - (np.cumsum(whole_B) - lengths_B)[group_E]
        kept_E = place_E >= 0
        at = (group_E[kept_E], place_E[kept_E])
        shape = (len(queries), int(lengths_B.max(initial=0)))
        padded = [np.zeros(shape, np.int64) for _ in range(3)]
        for values_BL, values_E in zip(padded, (items_E, events_E, gaps_E), strict=True):
            values_BL[at] = values_E[kept_E]
        return cls(padded[0], padded[1], padded[2], lengths_B)


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
