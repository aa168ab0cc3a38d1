"""The recall report: how many of the exact best items an index finds, on queries as they will be asked.

Shapes: B queries, N items, D embedding, K results.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from endcap.core.sampling import uniform_bits
from endcap.core.sequences import Queries, Sequences
from endcap.index.checks import check_recall
from endcap.index.config import IndexConfig
from endcap.index.flat import FlatIndex

__all__ = ["Vectors", "recall_at", "recall_report"]

_BATCH = 64
_ROUNDING = 1e-5


class Vectors(Protocol):
    """The part of a model that has to do with vectors; every VectorScorer of the models room has it."""

    @property
    def item_vectors_ND(self) -> NDArray[np.float32]:
        """The items' vectors."""
        ...

    def query_vectors_BD(self, queries: Queries) -> NDArray[np.float32]:
        """The queries' vectors."""
        ...


def recall_report(
    index: FlatIndex, model: Vectors, sequences: Sequences, config: IndexConfig, *, seed: int
) -> dict[str, Any]:
    """Measure an index on sessions cut before their last item.

    Args:
        index: Of the model's item vectors.
        model: Whose queries are asked.
        sequences: S sequences; those with two items or more are asked about. Without any, each item is a query.
        config: How many queries, at which k, and the bar.
        seed: Of the run; chooses the queries.

    Returns:
        Plain values for JSON: `num_items`, `width`, `num_queries`, `recall@<k>` for each k, and `recall_min`.

    Raises:
        ModelError: A recall is below the bar (INDEX_REFUSED).
    """
    queries = _queries(sequences, len(index), config.recall_queries, seed=seed)
    queries_BD = model.query_vectors_BD(queries)
    recall = {f"recall@{k}": recall_at(index, model.item_vectors_ND, queries_BD, k) for k in config.recall_ks}
    check_recall(recall, config)
    return {
        "num_items": len(index),
        "width": index.width,
        "num_queries": len(queries),
        **recall,
        "recall_min": min(recall.values()),
    }


def recall_at(index: FlatIndex, vectors_ND: NDArray[np.float32], queries_BD: NDArray[np.float32], k: int) -> float:
    """Return the share of the exact k best items that the index finds, 0..1.

    An item as good as the k-th best, up to rounding, counts as found: among equals the choice is free.

    Args:
        index: The index.
        vectors_ND: What was indexed.
        queries_BD: B >= 1 query vectors.
        k: How many; all items when there are fewer.
    """
    k = min(k, len(vectors_ND))
    found = 0
    for start in range(0, len(queries_BD), _BATCH):
        batch_BD = queries_BD[start : start + _BATCH]
        exact_BN = batch_BD @ vectors_ND.T
        kth_B1 = np.partition(exact_BN, -k, axis=1)[:, [-k]]
        items_BK, _ = index.search(batch_BD, k)
        scores_BK = np.where(items_BK < 0, -np.inf, np.take_along_axis(exact_BN, np.maximum(items_BK, 0), 1))
        found += int((scores_BK >= kth_B1 - _ROUNDING * (1 + np.abs(kth_B1))).sum())
    return found / (len(queries_BD) * k)


def _queries(sequences: Sequences, num_items: int, count: int, *, seed: int) -> Queries:
    """Choose sequences by the seed and cut off their last items."""
    long_enough = np.flatnonzero(sequences.lengths() >= 2)
    if len(long_enough) == 0:
        return Queries.of([[item] for item in range(min(count, num_items))])
    lots = uniform_bits(long_enough.astype(np.uint64), 1, seed=seed)[:, 0]
    chosen = np.sort(long_enough[np.argsort(lots, kind="stable")[:count]])
    return Queries.of(
        [sequences.items[sequences.starts[each] : sequences.starts[each + 1] - 1].tolist() for each in chosen]
    )
