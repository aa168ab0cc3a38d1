"""Popular: everybody gets what most people chose. The answer to a new visitor, and the floor of every table.

With `categories`, the most chosen of the categories that a visitor looked at last come first.

Shapes: B queries, N items, E elements, C categories that come first.
"""

from dataclasses import dataclass, field
from itertools import pairwise
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
    """The same scores for every query, or first those of the query's categories.

    Args:
        counts: N weighted counts of each item's events, >= 0.
        categories: C, of a history the latest different ones; with 0 every query gets the same.
        category_of: N numbers of the items' categories, -1 where unknown; empty with C = 0.
    """

    counts: Float32
    kind: str = "popular"
    categories: int = 0
    category_of: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))

    def score(self, queries: Queries) -> Float32:
        """Score all items by their counts; see `Scorer.score`.

        With categories, an item scores below 1 by its share of the greatest count, and C more in the category of the
        history's end, C - 1 more in the one before it, and so on.
        """
        if not self.categories:
            return np.tile(self.counts, (len(queries), 1))
        scores_BN = np.tile(self.counts / (1 + self.counts.max(initial=0)), (len(queries), 1))
        for query, (start, end) in enumerate(pairwise(queries.starts.tolist())):
            scores_BN[query] += self._lift(queries.items[start:end])
        return scores_BN

    def _lift(self, query_items: NDArray[np.int32]) -> Float32:
        """Return what the N items score more for a history."""
        lift_N = np.zeros(len(self.counts), np.float32)
        known = [category for category in self.category_of[query_items[::-1]].tolist() if category >= 0]
        for place, category in enumerate(list(dict.fromkeys(known))[: self.categories]):
            lift_N[self.category_of == category] = self.categories - place
        return lift_N

    def save(self, folder: Path) -> None:
        """Write the counts, and the categories if they count, into an existing empty folder."""
        arrays: dict[str, NDArray[np.generic]] = {"counts": self.counts}
        if self.categories:
            arrays["category_of"] = self.category_of
        settings = {"categories": self.categories} if self.categories else {}
        save_arrays(folder, kind=self.kind, settings=settings, arrays=arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelError: A file is missing or damaged, or of another kind.
        """
        settings, arrays = load_arrays(folder, kind="popular")
        category_of = arrays.get("category_of", np.zeros(0, np.int32))
        return cls(arrays["counts"], categories=settings.get("categories", 0), category_of=category_of)


class Popular(BaseModel):
    """Recipe: count each item's events, of all time or of the last days, for all or category by category."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["popular"] = "popular"
    window_days: int | None = Field(
        default=None,
        ge=1,
        le=3650,
        description="Days before the last event that count; none counts all. None: a small shop needs every event, and "
        "a shop whose assortment changes quickly wants 7.",
    )
    categories: int = Field(
        default=0,
        ge=0,
        le=10,
        description="Latest categories of a visitor whose items come first; 0 gives everybody the same. 0: what most "
        "people chose is what other models are measured against.",
    )

    def fit(self, sequences: Sequences, catalogue: Catalogue, *, seed: int) -> PopularScorer:  # noqa: ARG002 - a recipe's form
        """Count; see `Algorithm.fit`. Nothing is drawn, so the seed does not matter."""
        recent_E = np.ones(len(sequences.items), bool)
        if self.window_days is not None and len(sequences.items):
            recent_E = sequences.at_us > sequences.at_us.max() - self.window_days * DAY_US
        counts = item_counts(sequences, len(catalogue), recent_E).astype(np.float32)
        if not self.categories:
            return PopularScorer(counts)
        return PopularScorer(counts, categories=self.categories, category_of=_numbered(catalogue))


def _numbered(catalogue: Catalogue) -> NDArray[np.int32]:
    """Return the N numbers of the items' categories, in the order of their names; -1 where a category is unknown."""
    names = catalogue.categories or ("",) * len(catalogue)
    numbers = {name: number for number, name in enumerate(sorted({*names} - {""}))}
    return np.array([numbers.get(name, -1) for name in names], np.int32)


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
