"""Batches of the sequence model: sequences of about one length, and all that a step looks up of them.

Shapes: B sequences, L places of the histories that are read, T targets, U different items that a batch touches, C
columns, K half the numbers of a head.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from endcap.core.sampling import Sampler
from endcap.core.sequences import Int64, distinct
from endcap.models.sequence_elements import Collapsed
from endcap.models.sequence_scorer import rotations

if TYPE_CHECKING:
    from endcap.models.sequence import SequenceModel

__all__ = ["Batch", "Batches", "steps_of"]

_ALL_OF = 4
"""A catalogue of no more than so many times the negatives is scored whole: that is quicker than to draw."""


@dataclass(frozen=True)
class Batch:
    """B sequences, of which each element is a target of what stands before it.

    Args:
        items_U: Items that are touched, ascending.
        at_BL: Rows of `items_U` of the histories that are read; the last element is a target alone.
        events_BL: Numbers of kinds of events; 0 where unknown, or not told to learn without.
        gaps_BL: Buckets of pauses; likewise.
        target_row_T: Sequences of the targets.
        target_place_T: Places, 0 to L, that the targets follow; so many elements were read before each.
        target_at_T: Rows of `items_U` of the targets.
        column_at_C: Rows of `items_U` that are scored for all targets; None scores all items, which are all touched.
        column_log_weights_C: Logarithms of their weights.
        cosines_LK: Of the places' rotations, (L + 1) x K.
        sines_LK: Likewise.
        num_targets: Targets of the whole step.
    """

    items_U: Int64
    at_BL: Int64
    events_BL: Int64
    gaps_BL: Int64
    target_row_T: Int64
    target_place_T: Int64
    target_at_T: Int64
    column_at_C: Int64 | None
    column_log_weights_C: NDArray[np.float32] | None
    cosines_LK: NDArray[np.float32]
    sines_LK: NDArray[np.float32]
    num_targets: int


class Batches:
    """Makes batches. Not for several threads: it keeps a place for each item, filled anew by each batch.

    Args:
        recipe: Of the model.
        drawn: Draws items.
        num_items: N.
        seed: Of the run.
    """

    def __init__(self, recipe: "SequenceModel", drawn: Sampler, num_items: int, *, seed: int) -> None:
        self.recipe, self.drawn, self.num_items, self.seed = recipe, drawn, num_items, seed
        self.scores_all = num_items <= _ALL_OF * recipe.num_negatives
        self._place_N = np.arange(num_items)
        self._rotations = rotations(recipe.history + 1, recipe.dim // recipe.heads)

    def of(self, sequences: Collapsed, rows: Int64, *, name: int, num_targets: int) -> Batch:
        """Make the batch of some sequences.

        Args:
            sequences: All.
            rows: The B sequences.
            name: Names the batch: its draws depend on it.
            num_targets: Of the whole step.
        """
        items_BL, events_BL, gaps_BL = sequences.padded(rows)
        lengths_B, longest = sequences.lengths()[rows], items_BL.shape[1]
        row_T, place_T = np.nonzero(np.arange(longest) < lengths_B[:, None])
        told_B1 = np.random.default_rng([self.seed, name]).random((len(rows), 1)) >= self.recipe.event_dropout
        columns, chances = self._columns(name)
        items_U = self._touched(items_BL, columns)
        at_BL = self._place_N[items_BL]
        read = max(longest - 1, 0)
        return Batch(
            items_U=items_U,
            at_BL=at_BL[:, :read],
            events_BL=events_BL[:, :read] * told_B1,
            gaps_BL=gaps_BL[:, :read] * told_B1,
            target_row_T=row_T,
            target_place_T=place_T,
            target_at_T=at_BL[row_T, place_T],
            column_at_C=None if columns is None else self._place_N[columns],
            column_log_weights_C=None if chances is None else -np.log(len(chances) * chances).astype(np.float32),
            cosines_LK=self._rotations[0][: read + 1],
            sines_LK=self._rotations[1][: read + 1],
            num_targets=num_targets,
        )

    def _columns(self, name: int) -> tuple[NDArray[np.int32] | None, NDArray[np.float64] | None]:
        if self.scores_all:
            return None, None
        drawn, chances = self.drawn.draw(np.array([name], np.uint64), self.recipe.num_negatives, seed=self.seed)
        return drawn[0], chances[0]

    def _touched(self, items_BL: Int64, columns: NDArray[np.int32] | None) -> Int64:
        """Return the items that a batch touches; their places are known from then on."""
        if columns is None:
            return np.arange(self.num_items)
        items_U = distinct(items_BL, columns)
        self._place_N[items_U] = np.arange(len(items_U))
        return items_U


def steps_of(lengths_S: Int64, tokens: int, rng: np.random.Generator) -> Iterator[Int64]:
    """Yield the sequences of each step of a pass: of about one length, as what is padded is computed in vain.

    Args:
        lengths_S: Lengths of the sequences; those without an element are in no step.
        tokens: Elements of a step, padding counted, at most; one sequence at least.
        rng: Of the pass.
    """
    order_S = np.lexsort((rng.random(len(lengths_S)), lengths_S))
    order_S = order_S[lengths_S[order_S] > 0]
    fits_S = np.maximum(1, tokens // lengths_S[order_S])
    cuts, first = [], 0
    while first < len(order_S):
        last = first + int(fits_S[min(len(order_S), first + int(fits_S[first])) - 1])
        cuts.append(order_S[first : max(first + 1, last)])
        first = max(first + 1, last)
    for at in rng.permutation(len(cuts)):
        yield cuts[at]
