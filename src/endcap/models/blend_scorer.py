"""The fitted blend: its members, each in a folder of its own, and their weights.

Shapes: B queries, N items, M members.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from endcap.core.sequences import Queries
from endcap.models.protocol import Scorer
from endcap.models.scorers import load_scorer
from endcap.models.storage import damaged, load_arrays, save_arrays

__all__ = ["BlendScorer", "mixed", "shares_of"]

Float32 = NDArray[np.float32]

_KIND = "blend"
_BELOW = 1e-6
"""What an item at or below 0 still gets, so that such items keep their order: less than any share that counts."""


@dataclass(frozen=True, eq=False)
class BlendScorer:
    """Scores by the weighted sum of what each member would give an item of one whole share.

    Args:
        members: Name -> fitted model, M of them; the name is the folder's.
        weights_M: M numbers > 0 that add up to one.
        settings: Of the recipe: `logits`, and the others to be shown.
    """

    kind: ClassVar[str] = _KIND

    members: dict[str, Scorer]
    weights_M: Float32
    settings: dict[str, Any] = field(default_factory=dict)

    def score(self, queries: Queries) -> Float32:
        """Score all items; see `models.protocol.Scorer`."""
        shares = [
            shares_of(scorer.score(queries), are_logits=name in self.settings["logits"])
            for name, scorer in self.members.items()
        ]
        return mixed(shares, self.weights_M)

    def because(self, query_items: list[int], item: int) -> int | None:
        """Tell which item of a query speaks for an item: what the weightiest member says that can say why.

        Args:
            query_items: Item numbers, oldest first.
            item: The recommended item's number.

        Returns:
            An item number of the query, or None where no member names one.
        """
        weights = dict(zip(self.members, self.weights_M.tolist(), strict=True))
        for name in sorted(self.members, key=lambda name: -weights[name]):
            explain: Any = getattr(self.members[name], "because", None)
            found: int | None = None if explain is None else explain(query_items, item)
            if found is not None:
                return found
        return None

    def save(self, folder: Path) -> None:
        """Write the weights, and each member into a folder of its name; see `models.protocol.Scorer`."""
        settings = {"members": list(self.members), "recipe": self.settings}
        save_arrays(folder, kind=self.kind, settings=settings, arrays={"weights_M": self.weights_M})
        for name, scorer in self.members.items():
            (folder / name).mkdir()
            scorer.save(folder / name)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelError: A file of the blend or of a member is missing or damaged, or of another kind.
        """
        settings, arrays = load_arrays(folder, kind=cls.kind)
        names, weights_M = settings["members"], arrays.get("weights_M", np.zeros(0, np.float32))
        if not names or weights_M.shape != (len(names),) or not (weights_M > 0).all():
            raise damaged(folder / "arrays.safetensors", f"{len(names)} members have the weights {weights_M.tolist()}")
        return cls({name: load_scorer(folder / name) for name in names}, weights_M, settings["recipe"])


def mixed(shares: Sequence[Float32], weights_M: NDArray[np.floating[Any]]) -> Float32:
    """Return the weighted sum of M members' shares.

    Args:
        shares: Of each member, B x N.
        weights_M: M weights.
    """
    mixed_BN = np.zeros_like(shares[0])
    for each_BN, weight in zip(shares, weights_M.astype(np.float32), strict=True):
        if weight:
            mixed_BN += weight * each_BN
    return mixed_BN


def shares_of(scores_BN: Float32, *, are_logits: bool) -> Float32:
    """Return each query's scores as shares of one, in the same order.

    Args:
        scores_BN: B x N finite scores.
        are_logits: Whether they are logarithms of shares, but for a constant: then a softmax; else each score above 0
            over their sum, and all others next to nothing, still in their order.

    >>> shares_of(np.array([[3, 1, -1, 0]], np.float32), are_logits=False).round(3).tolist()
    [[0.75, 0.25, 0.0, 0.0]]
    """
    wide_BN = scores_BN.astype(np.float64)
    if are_logits:
        powers_BN = np.exp(wide_BN - wide_BN.max(axis=1, keepdims=True))
        softmax_BN: Float32 = (powers_BN / powers_BN.sum(axis=1, keepdims=True)).astype(np.float32)
        return softmax_BN
    above_BN = np.maximum(wide_BN, 0)
    sums_B1 = above_BN.sum(axis=1, keepdims=True)
    shares_BN = np.divide(above_BN, sums_B1, out=np.zeros_like(above_BN), where=sums_B1 > 0)
    found_BN: Float32 = (shares_BN + _BELOW * np.exp(np.minimum(wide_BN, 0))).astype(np.float32)
    return found_BN
