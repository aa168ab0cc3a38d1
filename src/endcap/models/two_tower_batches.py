"""Batches of the two-tower model: everything that a step looks up, numbered by what it touches.

Shapes: B examples, U different items that a batch touches, C columns, H filled places of histories, Q draws from pools
of an example, M features of one item at most, V different features that a batch touches, P features of all its items.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.core.sequences import Int64, distinct
from endcap.models.two_tower_examples import Examples, Frequencies, columns_of_step

__all__ = ["Batch", "Batches", "Contents", "Touched"]

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Touched:
    """Items whose vectors are wanted, and their features.

    Args:
        items_U: Item numbers, ascending.
        features_V: Feature numbers, ascending.
        feature_at_P: Places in `features_V`.
        feature_row_P: Rows of `items_U` that these belong to.
        feature_share_P: What each weighs: 1 over the root of the item's number of features.
    """

    items_U: Int64
    features_V: Int64
    feature_at_P: Int64
    feature_row_P: Int64
    feature_share_P: Float32


@dataclass(frozen=True)
class Batch(Touched):
    """B examples.

    Args:
        column_at_C: Rows of `items_U` that are scored.
        column_log_weights_C: Logarithms of their weights.
        target_B: Columns of the targets.
        history_at_H: Rows of `items_U` of the filled places of histories.
        history_row_H: Examples that these belong to.
        history_place_H: Places in the history, 0 is the latest.
        latest_G: Which of the H are the latest of their history.
        pool_at_BQ: Rows of `items_U` drawn from pools of the examples' own.
        pool_log_weights_BQ: Logarithms of their weights; minus infinity leaves a place out.
        weights_B: What each example counts in its step; the weights of a step's examples have about the sum 1.
    """

    column_at_C: Int64
    column_log_weights_C: Float32
    target_B: Int64
    history_at_H: Int64
    history_row_H: Int64
    history_place_H: Int64
    latest_G: Int64
    pool_at_BQ: Int64
    pool_log_weights_BQ: Float32
    weights_B: Float32


class Contents:
    """Features of all items, looked up for some.

    Args:
        features_NM: Feature numbers from 1, 0 where an item has fewer than M.
        num_features: Different ones.
    """

    def __init__(self, features_NM: NDArray[np.integer], num_features: int) -> None:
        self.features_NM = features_NM.astype(np.int32, copy=False)
        self.num_features = num_features
        self._share_N = (np.maximum((features_NM > 0).sum(axis=1), 1) ** -0.5).astype(np.float32)
        self._place = np.zeros(num_features + 1, np.int64)

    def touched(self, items_U: Int64) -> Touched:
        """Look up the features of items, which are different and ascend."""
        features_UM = self.features_NM[items_U]
        row_P, at_M = np.nonzero(features_UM)
        features_P = features_UM[row_P, at_M]
        features_V = distinct(features_P)
        self._place[features_V] = np.arange(len(features_V))
        return Touched(items_U, features_V, self._place[features_P], row_P, self._share_N[items_U][row_P])


class Batches:
    """Makes batches. Not for several threads: it keeps a place for each item, filled anew by each batch.

    Args:
        contents: Features of the N items.
        frequencies: Of the N items.
        history: Places of a history that are read.
        num_negatives: Items drawn for a batch.
        seed: Of the run.
    """

    def __init__(
        self, contents: Contents, frequencies: Frequencies, *, history: int, num_negatives: int, seed: int
    ) -> None:
        self.contents, self.frequencies = contents, frequencies
        self.history, self.num_negatives, self.seed = history, num_negatives, seed
        self._place_N = np.zeros(len(contents.features_NM), np.int64)

    def of(self, examples: Examples, rows: Int64, *, name: int, weight: float) -> Batch:
        """Make the batch of some examples.

        Args:
            examples: All.
            rows: The B examples.
            name: Names the batch: its draws depend on it.
            weight: What an example of weight 1 counts in the step.
        """
        columns = columns_of_step(
            examples, rows, self.frequencies, num_negatives=self.num_negatives, name=name, seed=self.seed
        )
        history_BL, filled_BL = examples.histories(rows, self.history)
        row_H, place_H = np.nonzero(filled_BL)
        history_H = history_BL[row_H, place_H]
        pool_BQ = np.maximum(examples.pool_negatives[rows], 0)
        items_U = distinct(columns.items.astype(np.int32), history_H, pool_BQ)
        self._place_N[items_U] = np.arange(len(items_U))
        touched = self.contents.touched(items_U)
        return Batch(
            **vars(touched),
            column_at_C=self._place_N[columns.items],
            column_log_weights_C=np.log(columns.weights).astype(np.float32),
            target_B=columns.target,
            history_at_H=self._place_N[history_H],
            history_row_H=row_H,
            history_place_H=place_H,
            latest_G=np.flatnonzero(place_H == 0),
            pool_at_BQ=self._place_N[pool_BQ],
            pool_log_weights_BQ=_pool_log_weights(examples, rows),
            weights_B=examples.weights[rows] * np.float32(weight),
        )


def _pool_log_weights(examples: Examples, rows: Int64) -> Float32:
    """Return B x Q logarithms; a draw that is the target itself is left out (accidental hits)."""
    pool_BQ, target_B = examples.pool_negatives[rows], examples.items[examples.targets[rows]]
    counts_BQ = (pool_BQ >= 0) & (pool_BQ != target_B[:, None])
    weights_BQ = np.where(counts_BQ, examples.pool_weights[rows], 1.0).astype(np.float32)
    return np.where(counts_BQ, np.log(weights_BQ), -np.inf).astype(np.float32)
