"""The fitted als in numpy alone: vectors of items, and the equations that make a history's vector.

Shapes: B queries, N items, D embedding, H different items of one history.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from endcap.core.sequences import EVENT_KINDS, Int32, Queries
from endcap.models.storage import are_finite, damaged, load_arrays, save_arrays
from endcap.models.two_tower_scorer import rows_times

__all__ = ["AlsScorer"]

Float32 = NDArray[np.float32]

_KIND = "als"


@dataclass(frozen=True, eq=False)
class AlsScorer:
    """Scores by the inner product of a history's vector and an item's.

    Args:
        item_vectors_ND: N x D.
        gram_DD: The sum of the items' vectors' outer products, plus the regularisation on the diagonal.
        newcomer_D: The vector of a new visitor: the mean of the users'.
        event_weights: The weight of each of EVENT_KINDS.
        settings: Of the recipe: alpha, and the others to be shown.
    """

    kind: ClassVar[str] = _KIND

    item_vectors_ND: Float32
    gram_DD: Float32
    newcomer_D: Float32
    event_weights: Float32
    settings: dict[str, Any] = field(default_factory=dict)

    def query_vectors_BD(self, queries: Queries) -> Float32:
        """Return the queries' vectors, B x D: the whole history counts, in whatever order."""
        vectors_BD = np.tile(self.newcomer_D, (len(queries), 1))
        for query, (start, end) in enumerate(pairwise(queries.starts.tolist())):
            if end > start:
                events = np.zeros(end - start, np.int8) if queries.events is None else queries.events[start:end]
                vectors_BD[query] = self._solved(queries.items[start:end], self.event_weights[events])
        return vectors_BD

    def score(self, queries: Queries) -> Float32:
        """Score all items; see `models.protocol.Scorer`."""
        return rows_times(self.query_vectors_BD(queries), self.item_vectors_ND)

    def is_finite(self) -> bool:
        """Say whether every number is one."""
        return are_finite(self._arrays())

    def save(self, folder: Path) -> None:
        """Write `scorer.json` and `arrays.safetensors`; see `models.protocol.Scorer`."""
        save_arrays(folder, kind=self.kind, settings=self.settings, arrays=self._arrays())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelError: A file is missing or damaged, or of another kind.
        """
        settings, arrays = load_arrays(folder, kind=cls.kind)
        found = {name: array.shape for name, array in arrays.items()}
        dim = found.get("newcomer_D", (0,))[0]
        wanted = {
            "item_vectors_ND": (*found.get("item_vectors_ND", ())[:1], dim),
            "gram_DD": (dim, dim),
            "newcomer_D": (dim,),
            "event_weights": (len(EVENT_KINDS),),
        }
        if found != wanted or "alpha" not in settings:
            raise damaged(folder / "arrays.safetensors", f"the model's arrays have the shapes {found}")
        scorer = cls(**arrays, settings=settings)
        if not scorer.is_finite():
            raise damaged(folder / "arrays.safetensors", "the model holds numbers that are not finite")
        return scorer

    def _arrays(self) -> dict[str, Float32]:
        return {
            "item_vectors_ND": self.item_vectors_ND, "gram_DD": self.gram_DD, "newcomer_D": self.newcomer_D,
            "event_weights": self.event_weights,
        }  # fmt: skip

    def _solved(self, items: Int32, weights: Float32) -> Float32:
        """Return the vector of one history: the least squares solution that has the items' vectors as they are.

        One history at a time, so that its vector is the same to the bit alone and among others.
        """
        different_H, place = np.unique(items, return_inverse=True)
        more_H = self.settings["alpha"] * np.bincount(place, weights=weights, minlength=len(different_H))
        vectors_HD = self.item_vectors_ND[different_H].astype(np.float64)
        left_DD = self.gram_DD + (vectors_HD.T * more_H) @ vectors_HD
        return np.linalg.solve(left_DD, vectors_HD.T @ (1 + more_H)).astype(np.float32)
