"""Bought together: what lies in the same baskets as the last items, more often than chance puts it there.

Lift (Brin et al. 1997: P(a, b) / (P(a) P(b))), drawn towards 1 where few baskets speak: a pair that met once by chance
has the highest lift of all.

Shapes: B queries, N items, L last items, P pairs.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from endcap.core.sequences import Catalogue, Queries, Sequences
from endcap.models.baskets import count_together, find_baskets
from endcap.models.popular import item_counts
from endcap.models.storage import load_arrays, save_arrays
from endcap.models.transitions import Transitions

__all__ = ["BoughtTogether", "BoughtTogetherScorer"]

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class BoughtTogetherScorer:
    """Sums of what goes with the last items; all else below 0, more popular items first.

    Args:
        length: Items of a history that count, the latest.
        together: N rows; how strongly each item goes with another, > 0.
        fallback: N scores < 0 in the order of popularity.
    """

    length: int
    together: Transitions
    fallback: Float32
    kind: str = "bought_together"

    def score(self, queries: Queries) -> Float32:
        """Score all items; see `Scorer.score`. An item that stands in a history twice counts once."""
        scores_BN = np.zeros((len(queries), len(self.fallback)), np.float32)
        items_BL, filled_BL = queries.last(self.length)
        for place in range(self.length):
            is_new = filled_BL[:, place] & ~(
                (items_BL[:, :place] == items_BL[:, place, None]) & filled_BL[:, :place]
            ).any(1)
            asked = np.flatnonzero(is_new)
            rows, at = self.together.stored(items_BL[asked, place])
            scores_BN[asked[rows], self.together.items[at]] += self.together.weights[at]
        return np.where(scores_BN > 0, scores_BN, self.fallback)

    def save(self, folder: Path) -> None:
        """Write length and rows into an existing empty folder."""
        arrays = {**self.together.to_arrays(), "fallback": self.fallback}
        save_arrays(folder, kind=self.kind, settings={"length": self.length}, arrays=arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelError: A file is missing or damaged, or of another kind.
        """
        settings, arrays = load_arrays(folder, kind="bought_together")
        return cls(settings["length"], Transitions.from_arrays(arrays), arrays["fallback"])


class BoughtTogether(BaseModel):
    """Recipe: count baskets, and divide by what chance makes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["bought_together"] = "bought_together"
    length: int = Field(
        default=10, ge=1, le=50, description="Items of a history that count, the latest. 10: about one basket."
    )
    least_baskets: int = Field(
        default=2, ge=1, description="Baskets that must hold a pair. 2: what happened once may be chance."
    )
    shrink: float = Field(
        default=1.0,
        ge=0,
        description="Baskets that chance alone is given beside those of a pair: the more, the less a rare pair says. "
        "1: a pair that two baskets hold, where chance makes none, stands as high as one with a lift of three.",
    )
    popularity: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="How much of the other item's popularity stays in the score: 0 orders by lift, 1 by how many "
        "baskets of the item have the other. .5: lift alone leads to what hardly anybody buys.",
    )

    def fit(self, sequences: Sequences, catalogue: Catalogue, *, seed: int) -> BoughtTogetherScorer:  # noqa: ARG002 - a recipe's form
        """Count; see `Algorithm.fit`. Nothing is drawn, so the seed does not matter."""
        num_items = len(catalogue)
        basket_R, item_R = find_baskets(sequences)
        counted = count_together(basket_R, item_R, num_items)
        in_baskets = np.bincount(item_R, minlength=num_items).astype(np.float64)
        num_baskets = max(1, len(np.unique(basket_R)))
        one, other, observed = counted.rows(), counted.items, counted.weights.astype(np.float64)
        expected = in_baskets[one] * in_baskets[other] / num_baskets
        lift = (observed + self.shrink) / (expected + self.shrink)
        kept = (observed >= self.least_baskets) & (lift > 1)
        strength = (lift - 1) * (in_baskets[other] / num_baskets) ** self.popularity
        together = Transitions.of((one * num_items + other)[kept], strength[kept], num_items)
        fallback = (-1.0 / (1.0 + item_counts(sequences, num_items))).astype(np.float32)
        return BoughtTogetherScorer(self.length, together, fallback)
