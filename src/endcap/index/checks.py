"""What must be true of vectors before they are indexed, and of an index before it is put into a bundle.

Shapes: N items, D embedding.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from endcap.core.errors import Code, ModelError
from endcap.index.config import IndexConfig

__all__ = ["check_recall", "check_vectors"]


def check_vectors(vectors_ND: NDArray[np.float32]) -> None:
    """Refuse vectors that cannot be searched.

    Raises:
        ModelError: There are none, or one of them is not finite.
    """
    if vectors_ND.ndim != 2 or 0 in vectors_ND.shape:
        raise _refused(f"the item vectors have the shape {vectors_ND.shape}, not N x D")
    num_bad = int((~np.isfinite(vectors_ND)).any(axis=1).sum())
    if num_bad:
        raise _refused(f"{num_bad:,} of {len(vectors_ND):,} item vectors are not finite")


def check_recall(recall: Mapping[str, float], config: IndexConfig) -> None:
    """Refuse an index that misses too many of the best items.

    Raises:
        ModelError: A recall is below the bar.
    """
    low = {name: value for name, value in recall.items() if value < config.recall_bar}
    if low:
        told = ", ".join(f"{name} {value:.4f}" for name, value in sorted(low.items()))
        raise _refused(f"the index finds too few of the best items: {told}; the bar is {config.recall_bar}")


def _refused(what: str) -> ModelError:
    return ModelError(
        what,
        where="step index",
        fix="run `endcap refresh --again train`; if it stays, lower the model's learning rate, or index.recall_bar",
        code=Code.INDEX_REFUSED,
    )
