"""A fitted model asked about the items of another catalogue than the one that it was fitted on.

Shapes: B queries, N items of the other catalogue, O items of the model's own.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from endcap.core.sequences import Int32, Queries
from endcap.models.protocol import Scorer
from endcap.models.scorers import load_scorer
from endcap.models.storage import load_arrays, save_arrays

__all__ = ["OtherItems", "renumbered"]

_MODEL = "model"


def renumbered(queries: Queries, to_own_N: Int32) -> Queries:
    """Return histories in the numbers of another catalogue, without the items that it does not have.

    >>> renumbered(Queries.of([[0, 1], [2]]), np.array([5, -1, 4], np.int32)).items.tolist()
    [5, 4]
    """
    items = to_own_N[queries.items]
    is_known = items >= 0
    known = np.concatenate([[0], np.cumsum(is_known)]).astype(np.int64)
    return Queries(
        known[queries.starts],
        items[is_known],
        None if queries.events is None else queries.events[is_known],
        None if queries.at_us is None else queries.at_us[is_known],
    )


@dataclass(frozen=True, eq=False)
class OtherItems:
    """Asks a model in its own numbers. An item that it does not know scores as its last one: nothing speaks for it.

    Args:
        model: Knows O items.
        to_own_N: Of each of the N items its number there, -1 for one that is not there.
    """

    kind: ClassVar[str] = "other_items"

    model: Scorer
    to_own_N: Int32

    def score(self, queries: Queries) -> NDArray[np.float32]:
        """Score all N items; see `models.protocol.Scorer`."""
        own_BO = self.model.score(renumbered(queries, self.to_own_N))
        scores_BN: NDArray[np.float32] = own_BO[:, np.maximum(self.to_own_N, 0)]
        is_new_N = self.to_own_N < 0
        scores_BN[:, is_new_N] = own_BO.min(axis=1, keepdims=True)
        return scores_BN

    def because(self, query_items: list[int], item: int) -> int | None:
        """Return the item of a query that speaks for an item, None where none does or the model cannot say."""
        own = int(self.to_own_N[item])
        known = {int(self.to_own_N[each]): each for each in query_items if self.to_own_N[each] >= 0}
        explain: Any = getattr(self.model, "because", None)
        if explain is None or own < 0 or not known:
            return None
        found: int | None = explain([int(self.to_own_N[each]) for each in query_items if self.to_own_N[each] >= 0], own)
        return None if found is None else known[found]

    def save(self, folder: Path) -> None:
        """Write the numbers, and the model into a folder below; see `models.protocol.Scorer`."""
        save_arrays(folder, kind=self.kind, settings={}, arrays={"to_own_N": self.to_own_N})
        (folder / _MODEL).mkdir()
        self.model.save(folder / _MODEL)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelError: A file is missing or damaged, or of another kind.
        """
        _, arrays = load_arrays(folder, kind=cls.kind)
        return cls(load_scorer(folder / _MODEL), arrays["to_own_N"])
