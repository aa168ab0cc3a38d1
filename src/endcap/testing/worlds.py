"""Small planted worlds: shops whose shoppers follow a rule, so that the right answer is known."""

import numpy as np

from endcap.core.sequences import Catalogue, Sequences

__all__ = ["SPLIT_US", "no_sequences", "planted_catalogue", "planted_sequences"]

_MINUTE_US = 60_000_000
_NUM_SESSIONS = 400
_LENGTH = 5

SPLIT_US = int(_NUM_SESSIONS * 0.8) * _LENGTH * _MINUTE_US
"""The instant that parts the planted sessions four to one."""


def planted_catalogue(num_items: int = 12) -> Catalogue:
    """Return items of two categories with titles, brands and prices."""
    numbers = range(num_items)
    return Catalogue(
        item_ids=tuple(f"item-{number:03d}" for number in numbers),
        categories=tuple("Home > Mugs" if number % 2 else "Apparel > Hats" for number in numbers),
        brands=tuple("Acme" if number % 3 else "" for number in numbers),
        titles=tuple(f"Thing number {number}" for number in numbers),
        prices=tuple(500 + 100 * number if number % 5 else -1 for number in numbers),
    )


def planted_sequences(num_items: int = 12) -> Sequences:
    """Return 400 sessions of 5 items: from item i, nine of ten shoppers go on to item i + 1, the others anywhere.

    Every item is about as popular as any other, so popularity knows next to nothing. Two sessions are one user's.
    """
    rng = np.random.default_rng(20260801)
    items = np.empty((_NUM_SESSIONS, _LENGTH), np.int32)
    items[:, 0] = rng.integers(num_items, size=_NUM_SESSIONS)
    for step in range(1, _LENGTH):
        follows = rng.random(_NUM_SESSIONS) < 0.9
        items[:, step] = np.where(
            follows, (items[:, step - 1] + 1) % num_items, rng.integers(num_items, size=len(items))
        )
    return Sequences(
        starts=np.arange(0, items.size + 1, _LENGTH, dtype=np.int64),
        items=items.reshape(-1),
        at_us=np.arange(items.size, dtype=np.int64) * _MINUTE_US,
        users=np.arange(_NUM_SESSIONS, dtype=np.int64) // 2,
    )


def no_sequences() -> Sequences:
    """Return sequences of a shop that nobody has visited."""
    nothing = np.zeros(0, np.int64)
    return Sequences(starts=np.zeros(1, np.int64), items=np.zeros(0, np.int32), at_us=nothing, users=nothing)
