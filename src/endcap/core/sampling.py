"""Draws that depend on what they are for and not on the order in which they are made.

A draw is a function of (seed, name of the row, number of the draw): batching, order and repetition do not matter.
Weights are integers made once, so that two engines and two machines agree to the bit.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["Sampler", "draw", "integer_weights", "mix", "uniform_bits"]

UInt64 = NDArray[np.uint64]

_STEPS = 8


def mix(values: UInt64) -> UInt64:
    """Scramble 64-bit numbers (the finaliser of splitmix64; Steele, Lea and Flood 2014).

    Args:
        values: Any shape, uint64.

    Returns:
        The same shape; equal inputs give equal outputs, near inputs give unlike ones.
    """
    z = values + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def uniform_bits(names: UInt64, draws: int, *, seed: int) -> UInt64:
    """Return `draws` independent 64-bit numbers for each name.

    Args:
        names: E numbers that name the rows (the leading 16 hex digits of an id, say).
        draws: How many for each.
        seed: Of the run.

    Returns:
        E x draws, uint64.
    """
    with np.errstate(over="ignore"):
        keyed = mix(np.asarray(names, np.uint64) ^ mix(np.array([seed], np.uint64)))
        return mix(keyed[:, None] + np.arange(draws, dtype=np.uint64)[None, :])


def integer_weights(counts: NDArray[np.int64], *, power: float, floor: int = 1) -> NDArray[np.int64]:
    """Turn counts into integer sampling weights, round(1000 x count^power), at least `floor`.

    Args:
        counts: N counts >= 0.
        power: 1 samples by popularity, 0 uniformly; .75 is the usual middle (Mikolov et al. 2013).
        floor: The weight of an item never seen.

    >>> integer_weights(np.array([0, 1, 16]), power=0.5).tolist()
    [1, 1000, 4000]
    """
    scaled = np.rint(1000.0 * np.asarray(counts, np.float64) ** power).astype(np.int64)
    return np.where(np.asarray(counts) > 0, np.maximum(scaled, floor), floor)


class Sampler:
    """Draws items with replacement, by integer weights that are summed up once.

    A guide says where to begin to look: the item of the first ticket of each of N equal stretches (Chen and Asau 1974).
    A look into it and a step or two take the place of log2(N) looks all over a large table.

    Args:
        weights: N integer weights >= 0 with a positive sum.
    """

    def __init__(self, weights: NDArray[np.int64]) -> None:
        self.weights, self._ends = weights, np.cumsum(weights)
        self._stretch = int(self._ends[-1]) // len(weights) + 1
        first = np.arange(int(self._ends[-1] - 1) // self._stretch + 1, dtype=np.int64) * self._stretch
        self._guide = np.searchsorted(self._ends, first, side="right")

    def draw(self, names: UInt64, draws: int, *, seed: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Draw for each name; see `draw`."""
        total = int(self._ends[-1])
        ticket = (uniform_bits(names, draws, seed=seed) % np.uint64(total)).astype(np.int64)
        items = self._items(ticket.ravel()).astype(np.int32).reshape(ticket.shape)
        return items, self.weights[items] / total

    def _items(self, tickets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the item whose stretch of tickets each lies in."""
        items = self._guide[tickets // self._stretch]
        short = np.flatnonzero(self._ends[items] <= tickets)
        for _ in range(_STEPS):
            if len(short) == 0:
                return items
            items[short] += 1
            short = short[self._ends[items[short]] <= tickets[short]]
        # Many light items lie in one stretch: the search is quicker then.
        items[short] = np.searchsorted(self._ends, tickets[short], side="right")
        return items


def draw(
    names: UInt64, weights: NDArray[np.int64], draws: int, *, seed: int
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Draw items for each name, with replacement, by integer weights.

    Args:
        names: E numbers that name the rows.
        weights: N integer weights >= 0 with a positive sum.
        draws: K, how many for each row.
        seed: Of the run.

    Returns:
        E x K item numbers and E x K probabilities of each draw.
    """
    return Sampler(weights).draw(names, draws, seed=seed)
