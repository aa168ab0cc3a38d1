"""Draws that depend on what they are for and not on the order in which they are made.

A draw is a function of (seed, name of the row, number of the draw): batching, order and repetition do not matter.
Weights are integers made once, so that two engines and two machines agree to the bit.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["draw", "integer_weights", "mix", "uniform_bits"]

UInt64 = NDArray[np.uint64]


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
    ends = np.cumsum(weights)
    total = int(ends[-1])
    ticket = (uniform_bits(names, draws, seed=seed) % np.uint64(total)).astype(np.int64)
    items = np.searchsorted(ends, ticket, side="right").astype(np.int32)
    return items, weights[items] / total
