"""One question to the pipeline, in item numbers, and the scores that answering it needs, each computed once.

Shapes: N items, K results.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.core.history import History
from endcap.features.online import NOTHING_KNOWN, VisitorFeatures
from endcap.serving.bundle import POPULAR, ServingBundle

__all__ = ["LEAST", "Asking"]

LEAST = float(np.finfo(np.float32).min)
"""The score of an item that a model could not score: it sinks to the end, and JSON can tell it."""


@dataclass
class Asking:
    """What is asked of a bundle.

    Args:
        bundle: Who answers.
        history: What to recommend by; empty for a visitor of whom nothing is known.
        n: How many items are wanted.
        current: Item numbers that the visitor is looking at.
        excluded: Item numbers that the caller does not want.
        drops_seen: Whether the history's items are left out.
        features: Returns the visitor's features at this instant; computed when it is first called.
    """

    bundle: ServingBundle
    history: History
    n: int
    current: frozenset[int] = frozenset()
    excluded: frozenset[int] = frozenset()
    drops_seen: bool = False
    features: Callable[[], VisitorFeatures] = lambda: NOTHING_KNOWN

    def __post_init__(self) -> None:
        """Start with nothing computed."""
        self._queries = self.history.query()
        self._scores_of: dict[str, NDArray[np.float32]] = {}

    def scores(self, model: str) -> NDArray[np.float32]:
        """Return a model's scores of all N items; what is no number is LEAST."""
        if model not in self._scores_of:
            is_popular = model == POPULAR or not self.history
            scores_N = self.bundle.popular_scores if is_popular else self.bundle.models[model].score(self._queries)[0]
            self._scores_of[model] = np.where(np.isfinite(scores_N), scores_N, np.float32(LEAST))
        return self._scores_of[model]

    def best(self, model: str, count: int) -> NDArray[np.int64]:
        """Return a model's best items, best first, equal ones by number; through its index where it has one."""
        if model == POPULAR or not self.history:
            return self.bundle.popular[:count]
        if model in self.bundle.indexes:
            query_BD = self.bundle.towers[model].query_vectors_BD(self._queries)
            items_K = self.bundle.indexes[model].search(query_BD, count)[0][0]
            found_K: NDArray[np.int64] = items_K[items_K >= 0]
            return found_K
        return _top(self.scores(model), count)


def _top(scores_N: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Return the numbers of the highest scores, best first, equal ones by number."""
    if count >= len(scores_N):
        return np.argsort(-scores_N, kind="stable")
    # Everything as good as the last one that fits is looked at: a partition alone chooses among equals by accident.
    bar = np.partition(scores_N, -count)[-count]
    good = np.flatnonzero(scores_N >= bar)
    return good[np.argsort(-scores_N[good], kind="stable")][:count]
