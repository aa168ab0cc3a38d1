"""Recent: what the visitor looked at last comes first, then what most people chose.

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


@dataclass(frozen=True)
class RecentScorer:
    """Items of the history above 1, later ones higher; all others below 1, more popular ones higher.

    Args:
        length: Items of a history that count, the latest.
        shares: N counts of each item's events over 1 + the greatest, in [0, 1).
    """

    length: int
    shares: Float32
    kind: str = "recent"

    def score(self, queries: Queries) -> Float32:
        """Score all items; see `Scorer.score`."""
        scores_BN = np.tile(self.shares, (len(queries), 1))
        items_BL, filled_BL = queries.last(self.length)
        for place in reversed(range(self.length)):  # the latest is written last, and stands
            asked = np.flatnonzero(filled_BL[:, place])
            scores_BN[asked, items_BL[asked, place]] = np.float32(1 + 1 / (1 + place))
        return scores_BN

    def save(self, folder: Path) -> None:
        """Write length and shares into an existing empty folder."""
        save_arrays(folder, kind=self.kind, settings={"length": self.length}, arrays={"shares": self.shares})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelError: A file is missing or damaged, or of another kind.
        """
        settings, arrays = load_arrays(folder, kind="recent")
        return cls(length=settings["length"], shares=arrays["shares"])


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

    def fit(self, sequences: Sequences, catalogue: Catalogue, *, seed: int) -> RecentScorer:  # noqa: ARG002 - a recipe's form
        """Count; see `Algorithm.fit`. Nothing is drawn, so the seed does not matter."""
        counts = item_counts(sequences, len(catalogue))
        return RecentScorer(self.length, (counts / (1 + counts.max(initial=0))).astype(np.float32))
