"""Popular: everybody gets what most people chose. The answer to a new visitor, and the floor of every table.

Shapes: B queries, N items, E elements.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from endcap.core.clock import DAY_US
from endcap.core.sequences import Catalogue, Queries, Sequences
from endcap.models.storage import load_arrays, save_arrays

__all__ = ["Popular", "PopularScorer", "item_counts"]

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class PopularScorer:
    """The same scores for every query.

    Args:
        counts: N weighted counts of each item's events, >= 0.
    """

    counts: Float32
    kind: str = "popular"

    def score(self, queries: Queries) -> Float32:
        """Score all items by their counts; see `Scorer.score`."""
        return np.tile(self.counts, (len(queries), 1))

    def save(self, folder: Path) -> None:
        """Write the counts into an existing empty folder."""
        save_arrays(folder, kind=self.kind, settings={}, arrays={"counts": self.counts})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelError: A file is missing or damaged, or of another kind.
        """
        _, arrays = load_arrays(folder, kind="popular")
        return cls(counts=arrays["counts"])


class Popular(BaseModel):
    """Recipe: count each item's events, of all time or of the last days."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["popular"] = "popular"
    window_days: int | None = Field(
        default=None,
        ge=1,
        le=3650,
        description="Days before the last event that count; none counts all. None: a small shop needs every event, and "
        "a shop whose assortment changes quickly wants 7.",
    )

    def fit(self, sequences: Sequences, catalogue: Catalogue, *, seed: int) -> PopularScorer:  # noqa: ARG002 - a recipe's form
        """Count; see `Algorithm.fit`. Nothing is drawn, so the seed does not matter."""
        recent_E = np.ones(len(sequences.items), bool)
        if self.window_days is not None and len(sequences.items):
            recent_E = sequences.at_us > sequences.at_us.max() - self.window_days * DAY_US
        return PopularScorer(counts=item_counts(sequences, len(catalogue), recent_E).astype(np.float32))


def item_counts(sequences: Sequences, num_items: int, chosen_E: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """Return the N sums of the weights of each item's elements.

    Args:
        sequences: S sequences.
        num_items: N.
        chosen_E: Which of the E elements count; all of them by default.
    """
    weights_E = np.ones(len(sequences.items)) if sequences.weights is None else sequences.weights.astype(np.float64)
    if chosen_E is not None:
        weights_E = weights_E * chosen_E
    return np.asarray(np.bincount(sequences.items, weights=weights_E, minlength=num_items), np.float64)
