"""Recent: what the visitor looked at last, or most often, comes first, then what most people chose.

Shops sell again what was bought, and visitors come back to what they saw: a model that does not beat this one has
learned nothing about either.

Shapes: B queries, N items, L last items.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from endcap.core.sequences import Catalogue, Queries, Sequences
from endcap.models.popular import item_counts
from endcap.models.storage import load_arrays, save_arrays

__all__ = ["Recent", "RecentScorer"]

Float32 = NDArray[np.float32]

_LEAST = 1e-30
"""Weight of what lies far back: float32 would make nothing of it, and the item would not be one of the history."""


@dataclass(frozen=True)
class RecentScorer:
    """Items of the history above 1, later or more frequent ones higher; all others below 1, more popular ones higher.

    Args:
        length: Items of a history that count, the latest.
        shares: N counts of each item's events over 1 + the greatest, in [0, 1).
        decay: Weight of the k-th item from the end is decay^k, and each of an item's places counts; with 0 its latest
            place alone.
    """

    length: int
    shares: Float32
    kind: str = "recent"
    decay: float = 0.0

    def score(self, queries: Queries) -> Float32:
        """Score all items; see `Scorer.score`."""
        places = np.arange(self.length)
        weights_L = np.maximum(self.decay**places, _LEAST) if self.decay else 1 / (1 + places)
        lifts_BN = np.zeros((len(queries), len(self.shares)), np.float32)
        items_BL, filled_BL = queries.last(self.length)
        for place in reversed(range(int(filled_BL.sum(axis=1).max(initial=0)))):
            asked = np.flatnonzero(filled_BL[:, place])
            at = asked, items_BL[asked, place]
            lifts_BN[at] = np.float32(weights_L[place]) + (lifts_BN[at] if self.decay else 0)  # else the latest stands
        # Of items that the history has equally often, the more popular one comes first.
        return np.where(lifts_BN > 0, 1 + lifts_BN + (self.shares if self.decay else 0), self.shares)

    def save(self, folder: Path) -> None:
        """Write length, decay and shares into an existing empty folder."""
        settings = {"length": self.length, **({"decay": self.decay} if self.decay else {})}
        save_arrays(folder, kind=self.kind, settings=settings, arrays={"shares": self.shares})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelError: A file is missing or damaged, or of another kind.
        """
        settings, arrays = load_arrays(folder, kind="recent")
        return cls(length=settings["length"], shares=arrays["shares"], decay=settings.get("decay", 0.0))


class Recent(BaseModel):
    """Recipe: nothing is learned but how popular each item is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["recent"] = "recent"
    length: int = Field(
        default=50,
        ge=1,
        le=1000,
        description="Items of a history that count, the latest. 50: what the online path keeps.",
    )

    decay: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Weight of the k-th item from the end of a history is decay^k, and an item's places add up: 1 puts "
        "what was bought most often first, as a shop with orders alone wants; 0 lets the latest place alone count.",
    )

    def fit(self, sequences: Sequences, catalogue: Catalogue, *, seed: int) -> RecentScorer:  # noqa: ARG002 - a recipe's form
        """Count; see `Algorithm.fit`. Nothing is drawn, so the seed does not matter."""
        counts = item_counts(sequences, len(catalogue))
        shares = (counts / (1 + counts.max(initial=0))).astype(np.float32)
        return RecentScorer(self.length, shares, decay=self.decay)
