"""Random streams of a world: one for each (seed, purpose, day, block), so that no draw depends on who drew before.

What a policy draws has purposes of its own: two policies meet the same world.
"""

from enum import IntEnum

import numpy as np

__all__ = ["Purpose", "stream"]


class Purpose(IntEnum):
    """What a stream is for. Numbers are never reused: they are part of what a seed means."""

    CATALOGUE = 1
    TASTES = 2
    PROMOTIONS = 3
    VISITORS = 4
    DRIFT = 5
    ARRIVALS = 6
    JOURNEYS = 7
    POLICY = 8
    TILL = 9
    REFUNDS = 11  # 10 was another's
    DELIVERIES = 12
    FAULTS = 13


def stream(seed: int, purpose: Purpose, *, day: int = 0, block: int = 0) -> np.random.Generator:
    """Return the generator of one purpose on one day for one block of visitors.

    Args:
        seed: Of the world, >= 0.
        purpose: What is drawn.
        day: Number of the day (of the week for PROMOTIONS), from 0.
        block: Number of the block, from 0.

    >>> bool(stream(7, Purpose.DRIFT, day=3).integers(100) == stream(7, Purpose.DRIFT, day=3).integers(100))
    True
    """
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, int(purpose), day, block])))
