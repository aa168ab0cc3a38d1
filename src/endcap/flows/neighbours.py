"""Neighbours of items in a fitted model: what hard negatives are drawn from.

The features room asks a function, so that it knows neither models nor indexes. The exact index is made of the model's
own vectors, which takes milliseconds: a folder of `index/` is named by its files and does not tell which model of
`models/` it was made of.

Shapes: N items, D embedding, T items asked about, R ranks.
"""

from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from endcap.core.errors import Code, ModelError, near
from endcap.features.negatives_config import HardNegatives
from endcap.flows.folder import is_whole
from endcap.index.flat import FlatIndex
from endcap.models.protocol import VectorScorer
from endcap.models.scorers import load_scorer

__all__ = ["ITEMS_FILE", "ModelNeighbours", "no_neighbours", "open_neighbours"]

ITEMS_FILE = "items.json"
"""In a model's folder: the ids of its items, in the order of their numbers."""

_BATCH = 16
"""Queries at once: faiss compares fewer than 20 pair by pair, more as a matrix, whose rounding is another. So an item's
neighbours do not depend on what else is asked."""


class ModelNeighbours:
    """Finds the items whose vectors have the highest inner product with an item's own, by ranks.

    Args:
        item_ids: N ids in the order of their numbers.
        vectors_ND: Their vectors; a vector of zeros is none.
        first: Rank of the nearest neighbour that is told, from 1; the item itself has no rank.
        last: Rank of the farthest.
    """

    def __init__(self, item_ids: pa.Array, vectors_ND: NDArray[np.float32], *, first: int, last: int) -> None:
        self._item_ids = item_ids
        self._vectors_ND = vectors_ND
        self._index = FlatIndex.build(vectors_ND)
        self._has_vector_N = (vectors_ND != 0).any(axis=1)
        self._first, self._last = first, min(last, max(1, len(item_ids) - 1))
        self._ranks_NR = np.full((len(item_ids), max(0, self._last - first + 1)), -1, np.int32)
        self._is_found_N = np.zeros(len(item_ids), bool)

    def __call__(self, wanted: pa.Array) -> pa.ListArray:
        """Return T lists of item ids, nearest first; empty for an item that has no vector here."""
        numbers = np.asarray(pc.fill_null(pc.index_in(wanted, value_set=self._item_ids), -1), np.int64)
        has_vector_T = (numbers >= 0) & np.take(self._has_vector_N, numbers)
        self._find(np.unique(numbers[has_vector_T]))
        found_TR = np.where(has_vector_T[:, None], self._ranks_NR[numbers], -1)
        is_item_TR = found_TR >= 0
        offsets = np.concatenate([[0], np.cumsum(is_item_TR.sum(axis=1))])
        items = self._item_ids.take(pa.array(found_TR[is_item_TR]))
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items)

    def _find(self, numbers: NDArray[np.int64]) -> None:
        """Look up what was not asked for before: days share most of their items."""
        numbers = numbers[~self._is_found_N[numbers]]
        for start in range(0, len(numbers), _BATCH):
            batch_B = numbers[start : start + _BATCH]
            found_BK, _ = self._index.search(self._vectors_ND[batch_B], self._last + 1)
            is_other_BK = found_BK != batch_B[:, None]
            # The item itself stands among its own neighbours, or behind all of them: then the last one goes.
            is_other_BK[is_other_BK.all(axis=1), -1] = False
            others_BR = found_BK[is_other_BK].reshape(len(batch_B), self._last)
            self._ranks_NR[batch_B] = others_BR[:, self._first - 1 :]
        self._is_found_N[numbers] = True


def no_neighbours(_wanted: pa.Array) -> pa.ListArray:
    """Stand where no sampler asks for neighbours."""
    raise AssertionError("nobody draws hard negatives")


def open_neighbours(models: Path, sampler: HardNegatives) -> ModelNeighbours:
    """Open the model that a sampler of hard negatives names.

    Args:
        models: Folder of all fitted models.
        sampler: Names the model, its version and the ranks.

    Raises:
        ModelError: The model is not there, is damaged, or has no vectors.
    """
    folder = models / sampler.model / sampler.version
    if not folder.is_dir():
        raise _missing(models, sampler)
    if not is_whole(folder):
        raise ModelError(
            "the model that hard negatives are drawn from is no longer what it was",
            where=str(folder),
            fix="put its folder back, or name another version in [[features.negatives]]",
            code=Code.MODEL_NOT_FITTED,
        )
    scorer = load_scorer(folder)
    if not isinstance(scorer, VectorScorer) or not (folder / ITEMS_FILE).is_file():
        has = "has no vectors" if not isinstance(scorer, VectorScorer) else "does not tell its items' ids"
        raise ModelError(
            f"hard negatives cannot be drawn from {sampler.model} {sampler.version}: it {has}",
            where="$.features.negatives",
            fix="name a model whose scores are inner products, such as two_tower, fitted by this version of endcap",
            code=Code.MODEL_UNKNOWN,
        )
    ids = pa.array(msgspec.json.decode((folder / ITEMS_FILE).read_bytes(), type=list[str]), pa.string())
    return ModelNeighbours(ids, scorer.item_vectors_ND, first=sampler.first, last=sampler.last)


def _missing(models: Path, sampler: HardNegatives) -> ModelError:
    """Tell what is there in the place of a model that is not."""
    versions = {place.name: sorted(each.name for each in place.iterdir() if each.is_dir())
                for place in sorted(models.iterdir()) if place.is_dir()} if models.is_dir() else {}  # fmt: skip
    there = versions.get(sampler.model)
    if there:
        told = f"versions of {sampler.model} there: {', '.join(there)}"
    elif any(versions.values()):
        told = near(sampler.model, [name for name, found in versions.items() if found])
    else:
        told = "no model is there yet"
    return ModelError(
        f"hard negatives name {sampler.model} {sampler.version}, which is not there; {told}",
        where=str(models / sampler.model),
        fix="name one that is there as `version` in [[features.negatives]]; on a new shop, refresh once without the "
        "sampler, then pin what was fitted",
        code=Code.MODEL_UNKNOWN,
    )
