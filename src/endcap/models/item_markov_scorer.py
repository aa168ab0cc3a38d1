"""The fitted item_markov: sparse rows of what followed each item, summed over the last items of a query.

Shapes: B queries, N items, P stored pairs, L last items.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from endcap.core.sequences import Int32, Queries, Sequences
from endcap.models.popular import item_counts
from endcap.models.storage import load_arrays, save_arrays
from endcap.models.transitions import Transitions, collapsed, count_transitions

__all__ = ["ItemMarkovScorer", "MarkovSettings", "fit_scorer", "weigh"]

_NEGLIGIBLE = 1e-4
"""Older items of a query whose decay^k is below this share are not looked up."""


@dataclass(frozen=True)
class MarkovSettings:
    """Settings as numbers: what `auto` was chosen to be.

    Args:
        max_gap: Steps between two items that still count as one following the other.
        decay: Weight of the k-th item from a query's end is decay^k.
        penalty: Counts are divided by the followed item's popularity to this power.
        rows_sum: Each row is divided by its sum to this power: 0 leaves counts, 1 makes probabilities.
    """

    max_gap: int
    decay: float
    penalty: float
    rows_sum: float


@dataclass(frozen=True)
class ItemMarkovScorer:
    """What followed each item.

    Args:
        settings: What the rows were made with.
        transitions: N rows, final weights > 0.
        fallback: N scores < 0 in the order of popularity, for items that never followed anything in a query.
    """

    settings: MarkovSettings
    transitions: Transitions
    fallback: NDArray[np.float32]
    kind: str = "item_markov"

    def score(self, queries: Queries) -> NDArray[np.float32]:
        """Score all items; see `Scorer.score`.

        What followed a query's items scores above 0; all else is below 0, more popular items first.
        """
        scores_BN = np.zeros((len(queries), len(self.fallback)), np.float32)
        items_BL, share_BL = self._last_items(queries)
        for place in range(items_BL.shape[1]):  # one place at a time: each pair is then added to a cell of its own
            asked = np.flatnonzero(share_BL[:, place] > 0)
            rows, at = self.transitions.stored(items_BL[asked, place])
            shares = share_BL[asked, place][rows] * self.transitions.weights[at]
            scores_BN[asked[rows], self.transitions.items[at]] += shares
        return np.where(scores_BN > 0, scores_BN, self.fallback)

    def because(self, query_items: list[int], item: int) -> int | None:
        """Tell which item of a query contributed most to an item's score.

        Args:
            query_items: Item numbers, oldest first.
            item: The recommended item's number.

        Returns:
            An item number of the query (the later one of equals), or None where popularity alone speaks.
        """
        items_BL, share_BL = self._last_items(Queries.of([query_items]))
        best, found = 0.0, None
        for source, share in zip(items_BL[0].tolist(), share_BL[0].tolist(), strict=True):
            start, end = self.transitions.starts[source : source + 2].tolist()
            at = start + int(np.searchsorted(self.transitions.items[start:end], item))
            if at < end and self.transitions.items[at] == item and share * self.transitions.weights[at] > best:
                best, found = share * float(self.transitions.weights[at]), source
        return found

    def save(self, folder: Path) -> None:
        """Write settings and rows into an existing empty folder."""
        arrays = {**self.transitions.to_arrays(), "fallback": self.fallback}
        save_arrays(folder, kind=self.kind, settings=asdict(self.settings), arrays=arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelError: A file is missing or damaged, or of another kind.
        """
        settings, arrays = load_arrays(folder, kind="item_markov")
        return cls(MarkovSettings(**settings), Transitions.from_arrays(arrays), arrays["fallback"])

    def _last_items(self, queries: Queries) -> tuple[Int32, NDArray[np.float32]]:
        """Return the B x L last items, latest first, and the weight of each (0 where empty)."""
        group = np.repeat(np.arange(len(queries), dtype=np.int64), np.diff(queries.starts))
        items = queries.items[queries.starts[0] : queries.starts[-1]]
        stays = collapsed(items, group)
        lengths = np.bincount(group[stays], minlength=len(queries))
        single = Queries(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), items[stays])
        longest = int(lengths.max(initial=0))
        shares = self.settings.decay ** np.arange(max(longest, 1), dtype=np.float64)
        shares = shares[shares >= _NEGLIGIBLE].astype(np.float32)
        items_BL, filled_BL = single.last(len(shares))
        return items_BL, np.where(filled_BL, shares, np.float32(0))


def fit_scorer(sequences: Sequences, num_items: int, settings: MarkovSettings) -> ItemMarkovScorer:
    """Count what followed what, and weigh it.

    Args:
        sequences: S sequences.
        num_items: N.
        settings: All settings as numbers.
    """
    counted = count_transitions(sequences, num_items, max_gap=settings.max_gap)
    return weigh(counted, item_counts(sequences, num_items), settings)


def weigh(counted: Transitions, counts: NDArray[np.float64], settings: MarkovSettings) -> ItemMarkovScorer:
    """Make the scorer of counted pairs and the N items' counts."""
    rows = counted.rows()
    weights = counted.weights.astype(np.float64)
    sums = np.bincount(rows, weights=weights, minlength=len(counts))
    weights /= sums[rows] ** settings.rows_sum * np.maximum(counts[counted.items], 1.0) ** settings.penalty
    # Between -1 (never seen) and 0, so that whatever followed something stands before it.
    fallback = (-1.0 / (1.0 + counts)).astype(np.float32)
    return ItemMarkovScorer(settings, Transitions(counted.starts, counted.items, weights.astype(np.float32)), fallback)
