"""The exact index: every vector is compared with the query. Right up to about 100,000 items.

Shapes: N items, D embedding, B queries, K results.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from endcap.core.errors import BundleError, Code
from endcap.index.checks import check_vectors

__all__ = ["FlatIndex"]

_FILE = "flat.faiss"


class FlatIndex:
    """An immutable inner-product index over item vectors; an item's id is its number.

    Args:
        index: A faiss.IndexFlatIP.
    """

    def __init__(self, index: Any) -> None:
        self._index = index

    @classmethod
    def build(cls, vectors_ND: NDArray[np.float32]) -> Self:
        """Index item vectors.

        Args:
            vectors_ND: Row n is the vector of item n.

        Raises:
            ModelError: There are none, or one of them is not finite (INDEX_REFUSED).
        """
        vectors_ND = np.ascontiguousarray(vectors_ND, np.float32)
        check_vectors(vectors_ND)
        index = faiss.IndexFlatIP(vectors_ND.shape[1])
        index.add(vectors_ND)
        return cls(index)

    def save(self, folder: Path) -> None:
        """Write `flat.faiss` into an existing folder; the bytes depend on the vectors alone."""
        faiss.write_index(self._index, str(folder / _FILE))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Map what `save` wrote; processes that map the same file share one copy of the vectors.

        Raises:
            BundleError: The file is missing or damaged.
        """
        path = folder / _FILE
        try:
            return cls(faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC))
        except RuntimeError as error:  # faiss tells every fault so, with the place in its own source
            what = "is missing" if not path.exists() else "is damaged"
            raise BundleError(
                f"the index {what}",
                where=str(path),
                fix="run `endcap refresh --again index`",
                code=Code.BUNDLE_DAMAGED,
            ) from error

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def width(self) -> int:
        """D, the length of a vector."""
        return int(self._index.d)

    def search(
        self, queries_BD: NDArray[np.float32], k: int, *, left_out: Sequence[int] = ()
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Find the items with the highest inner products.

        Args:
            queries_BD: B query vectors.
            k: How many, at least 1; may be more than there are items.
            left_out: Item numbers that are not wanted, the current item for instance.

        Returns:
            B x k item numbers, best first, ties by number, -1 where there are no more items; and their inner products,
            the least float32 where there is no item.
        """
        chosen = None
        if len(left_out):
            unwanted = faiss.IDSelectorBatch(np.asarray(sorted(set(left_out)), np.int64))
            chosen = faiss.SearchParameters(sel=faiss.IDSelectorNot(unwanted))  # type: ignore[call-arg]  # set by name in faiss's __init__
        scores_BK, items_BK = self._index.search(np.ascontiguousarray(queries_BD, np.float32), k, params=chosen)
        # faiss leaves equal scores in no order.
        order_BK = np.lexsort((np.where(items_BK < 0, np.iinfo(np.int64).max, items_BK), -scores_BK), axis=1)
        return np.take_along_axis(items_BK, order_BK, 1), np.take_along_axis(scores_BK, order_BK, 1)
