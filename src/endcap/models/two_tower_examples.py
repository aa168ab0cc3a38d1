"""Sequences as training examples of the two-tower model: a history, the item that came next, negatives against it.

Shapes: T examples, E elements, N items, L items of history, K negatives, P negatives from pools, C columns (items that
a step scores for all its examples).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from endcap.core.sampling import Sampler, integer_weights
from endcap.core.sequences import Int64, Sequences

__all__ = ["Columns", "Examples", "Frequencies", "columns_of_step", "examples_of"]

_FLOOR = 600
"""Weight of an item that is no target, as if it had been half a time: a rarer draw would weigh too much."""

_LEAST_CHANCE = 0.01
"""Least probability of a draw that is believed, as a share of a uniform one."""


@dataclass(frozen=True)
class Examples:
    """T steps to the next different item, and each sequence's first item as what follows an empty history.

    Args:
        items: E collapsed items.
        targets: T places in `items`.
        first: T places in `items` of the target's sequence's first item: the history is items[first:target].
        weights: T weights.
        negatives: T x K item numbers drawn from all items, -1 where none; K may be 0.
        negative_p: T x K probabilities.
        pool_negatives: T x P item numbers drawn from pools of the examples' own, -1 where none; P may be 0.
        pool_weights: T x P weights, 1 / (draws from the pool x probability).
    """

    items: NDArray[np.int32]
    targets: NDArray[np.int64]
    first: NDArray[np.int64]
    weights: NDArray[np.float32]
    negatives: NDArray[np.int32]
    negative_p: NDArray[np.float32]
    pool_negatives: NDArray[np.int32]
    pool_weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.targets)

    def counts(self, num_items: int) -> Int64:
        """Return how often each of the N items is a target."""
        return np.bincount(self.items[self.targets], minlength=num_items)

    def histories(self, rows: NDArray[np.int64], length: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Return the last L items before the targets, latest first, 0 where empty, and which places are filled."""
        at_BL = self.targets[rows, None] - 1 - np.arange(length)[None, :]
        filled_BL = at_BL >= self.first[rows, None]
        return np.where(filled_BL, self.items[np.where(filled_BL, at_BL, 0)], 0).astype(np.int32), filled_BL


@dataclass(frozen=True)
class Frequencies:
    """How often items are targets in all there is to learn from, and how they are drawn.

    Args:
        target_p: N shares of the items among the targets.
        drawn: Draws items by (count among the targets)^power; an item never seen can be drawn, seldom.
    """

    target_p: NDArray[np.float64]
    drawn: Sampler

    @classmethod
    def of(cls, counts_N: Int64, *, power: float) -> Self:
        """Take over how often each item is a target."""
        weights = integer_weights(counts_N, power=power, floor=_FLOOR)
        return cls(counts_N / max(int(counts_N.sum()), 1), Sampler(weights))


@dataclass(frozen=True)
class Columns:
    """The items that a step scores.

    Args:
        items: C different items, ascending.
        weights: C; the sum of weight x exp(score) estimates the sum of exp(score) over all items without bias.
        target: B columns of the targets.
    """

    items: NDArray[np.int64]
    weights: NDArray[np.float64]
    target: NDArray[np.int64]


def examples_of(sequences: Sequences) -> Examples:
    """Collapse equal neighbours and make every element a target; elements of weight 0 are none."""
    sequence_E = sequences.sequence_of()
    items_E = sequences.items
    opens_E = np.ones(len(items_E), bool)
    opens_E[1:] = (items_E[1:] != items_E[:-1]) | (sequence_E[1:] != sequence_E[:-1])
    opening = np.flatnonzero(opens_E)
    weights = np.ones(len(opening), np.float32)
    if sequences.weights is not None and len(opening):
        # An item viewed and then bought is one step; the purchase says how much it counts.
        weights = np.maximum.reduceat(sequences.weights, opening).astype(np.float32)
    first_S = np.searchsorted(sequence_E[opening], np.arange(len(sequences)))
    targets = np.flatnonzero(weights > 0)
    negatives, negative_p = _beside(sequences.negatives, sequences.negative_p, opening[targets])
    pool_negatives, pool_weights = _beside(sequences.pool_negatives, sequences.pool_weights, opening[targets])
    return Examples(
        items=items_E[opening],
        targets=targets,
        first=first_S[sequence_E[opening]][targets],
        weights=weights[targets],
        negatives=negatives,
        negative_p=negative_p,
        pool_negatives=pool_negatives,
        pool_weights=pool_weights,
    )


def columns_of_step(
    examples: Examples, rows: NDArray[np.int64], frequencies: Frequencies, *, num_negatives: int, name: int, seed: int
) -> Columns:
    """Choose the items that a step scores: its targets, its examples' negatives, and items drawn for all.

    Every draw weighs 1 / (number of draws x its probability), which takes its frequency out of the score (logQ), and a
    drawn item stands in one column however often it was drawn. Where there are
    no more items than draws, all are scored, which is exact.

    Args:
        examples: All.
        rows: The B examples of the step.
        frequencies: Of all items.
        num_negatives: Draws wanted beside the targets; the examples' own negatives count.
        name: Names the step.
        seed: Of the run.
    """
    targets, num_items = examples.items[examples.targets[rows]], len(frequencies.target_p)
    if num_items <= num_negatives:
        return Columns(np.arange(num_items), np.ones(num_items, np.float64), targets.astype(np.int64))
    given = examples.negatives[rows]
    has = given >= 0
    wanted = max(0, num_negatives - int(has.sum()))
    drawn_1K, p_1K = frequencies.drawn.draw(np.array([name], np.uint64), wanted, seed=seed)
    draws = np.concatenate([targets, given[has], drawn_1K[0]])
    chances = np.concatenate([frequencies.target_p[targets], examples.negative_p[rows][has], p_1K[0]])
    # Without this bound one draw in a million would outweigh all others of its step.
    chances = np.maximum(chances, _LEAST_CHANCE / num_items)
    items, column = np.unique(draws, return_inverse=True)
    return Columns(
        items=items.astype(np.int64),
        weights=np.bincount(column, 1.0 / (len(draws) * chances), minlength=len(items)).astype(np.float64),
        target=column[: len(rows)],
    )


def _beside(
    items: NDArray[np.int32] | None, values: NDArray[np.float32] | None, elements: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the elements' negatives and what stands beside them; without columns where none were sampled."""
    if items is None or values is None:
        return np.zeros((len(elements), 0), np.int32), np.ones((len(elements), 0), np.float32)
    return items[elements], values[elements]
