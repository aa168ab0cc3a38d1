"""The fitted two-tower model: vectors of items and the shopper tower, in numpy alone.

Shapes: B queries, N items, D embedding, L items of history, H hidden, C features of content, M of one item.
"""

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from endcap.core.errors import Code, ModelError
from endcap.core.sequences import Catalogue, Int32, Queries
from endcap.models.storage import are_finite, load_arrays, save_arrays
from endcap.models.two_tower_content import known_features

__all__ = ["TwoTowerScorer", "rows_times"]

Float32 = NDArray[np.float32]

_KIND = "two_tower"
_NAMES = "content_names"


@dataclass(frozen=True, eq=False)
class TwoTowerScorer:
    """Scores by the inner product of a shopper's vector and an item's.

    The shopper's vector is the history's vectors weighted by place, plus what a small network makes of them and of the
    latest one. An empty history is the zero vector there, so the biases hold the new visitor's vector.

    Args:
        item_vectors_ND: N x D.
        place_weights_L: L weights of the history's places, latest first.
        hidden_weights_HI: H x 2D, for the latest item's vector and then for the history's.
        hidden_biases_H: H.
        out_weights_DH: D x H.
        out_biases_D: D.
        contents_CD: Vectors of features of content, of which new items are made; none in a model of an earlier version.
        content_names: Their C names; see `two_tower_content`.
        settings: Of the recipe, to be shown.
    """

    kind: ClassVar[str] = _KIND

    item_vectors_ND: Float32
    place_weights_L: Float32
    hidden_weights_HI: Float32
    hidden_biases_H: Float32
    out_weights_DH: Float32
    out_biases_D: Float32
    contents_CD: Float32 = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    content_names: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)

    def query_vectors_BD(self, queries: Queries) -> Float32:
        """Return the queries' vectors, B x D; repeated neighbours in a history count once."""
        items_BL, filled_BL = _collapsed(queries).last(len(self.place_weights_L))
        latest_BD = self._history_vectors(items_BL[:, 0], filled_BL[:, 0])
        # Added place by place: numpy would order the sum of an axis by the shape of the batch.
        mean_BD = np.zeros_like(latest_BD)
        for place in range(int(filled_BL.sum(axis=1).max(initial=0))):
            vectors_BD = self._history_vectors(items_BL[:, place], filled_BL[:, place])
            mean_BD += self.place_weights_L[place] * vectors_BD
        hidden_BH = rows_times(np.concatenate([latest_BD, mean_BD], axis=1), self.hidden_weights_HI)
        hidden_BH = _gelu(hidden_BH + self.hidden_biases_H)
        return mean_BD + (rows_times(hidden_BH, self.out_weights_DH) + self.out_biases_D)

    def score(self, queries: Queries) -> Float32:
        """Score all items; see `models.protocol.Scorer`."""
        return rows_times(self.query_vectors_BD(queries), self.item_vectors_ND)

    def with_items(self, catalogue: Catalogue, numbers_N: Int32) -> Self:
        """Return this model for a catalogue that has changed; see `models.protocol.TakesItems`.

        A new item's vector is made of its content as training makes that of an item without any event; of one whose
        content has nothing known it is zero.
        """
        is_new_N = numbers_N < 0
        vectors_ND = np.zeros((len(numbers_N), self.item_vectors_ND.shape[1]), np.float32)
        vectors_ND[~is_new_N] = self.item_vectors_ND[numbers_N[~is_new_N]]
        features_NM = known_features(catalogue, self.content_names)
        for item in np.flatnonzero(is_new_N).tolist():
            own = features_NM[item][features_NM[item] > 0] - 1
            if len(own):
                vectors_ND[item] = self.contents_CD[own].sum(axis=0) * np.float32(len(own) ** -0.5)
        return replace(self, item_vectors_ND=vectors_ND)

    def is_finite(self) -> bool:
        """Say whether every number is one."""
        return are_finite(self._arrays())

    def save(self, folder: Path) -> None:
        """Write `scorer.json` and `arrays.safetensors`; see `models.protocol.Scorer`."""
        settings = {**self.settings, _NAMES: list(self.content_names)}
        save_arrays(folder, kind=self.kind, settings=settings, arrays=self._arrays())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelError: A file is missing or damaged, or of another kind.
        """
        settings, arrays = load_arrays(folder, kind=cls.kind)
        names = tuple(settings.pop(_NAMES, ()))
        found = {name: list(array.shape) for name, array in arrays.items()}
        if not _fit_together(found, len(names)):
            raise _damaged(folder / "arrays.safetensors", f"holds arrays of shapes {found}")
        if not all(array.dtype == np.float32 and np.isfinite(array).all() for array in arrays.values()):
            raise _damaged(folder / "arrays.safetensors", "holds numbers that are not finite float32")
        return cls(**arrays, content_names=names, settings=settings)

    def _arrays(self) -> dict[str, Float32]:
        return {name: getattr(self, name) for name in _array_names()}

    def _history_vectors(self, items_B: NDArray[np.int32], filled_B: NDArray[np.bool_]) -> Float32:
        return np.where(filled_B[:, None], self.item_vectors_ND[items_B], np.float32(0))


def rows_times(rows_BK: Float32, weights_NK: Float32) -> Float32:
    """Multiply each row with the weights on its own, B x N.

    One product of B rows would be faster, but its sums depend on B in the last bit, and with them the order of a slate.
    """
    scores_B1N: Float32 = np.matmul(rows_BK[:, None, :], weights_NK.T)
    return scores_B1N[:, 0, :]


def _gelu(values: Float32) -> Float32:
    """Return x times the normal distribution's share below x, by tanh (Hendrycks and Gimpel 2016)."""
    inner: Float32 = np.float32(np.sqrt(2 / np.pi)) * (values + np.float32(0.044715) * values * values * values)
    share: Float32 = np.float32(0.5) * (np.float32(1) + np.tanh(inner))
    return values * share


def _collapsed(queries: Queries) -> Queries:
    """Return the histories without elements that repeat the one before them."""
    count = len(queries.items)
    if count == 0:
        return queries
    opens = np.zeros(count + 1, bool)
    opens[queries.starts] = True  # an empty history opens at the next one's first element, or past the end
    opens[1:count] |= queries.items[1:] != queries.items[:-1]
    before = np.concatenate([[0], np.cumsum(opens[:count])])
    return Queries(before[queries.starts], queries.items[opens[:count]])


def _array_names() -> list[str]:
    return [each.name for each in fields(TwoTowerScorer) if each.name not in ("settings", "content_names")]


def _fit_together(shapes: dict[str, list[int]], num_names: int) -> bool:
    """Say whether these are the scorer's arrays and their shapes agree."""
    if {*shapes, "contents_CD"} != set(_array_names()):
        return False
    if len(shapes["item_vectors_ND"]) != 2 or len(shapes["place_weights_L"]) != 1 or not shapes["place_weights_L"][0]:
        return False
    dim, hidden = shapes["item_vectors_ND"][1], (shapes["hidden_biases_H"] or [0])[0]
    wanted = {
        "hidden_weights_HI": [hidden, 2 * dim],
        "hidden_biases_H": [hidden],
        "out_weights_DH": [dim, hidden],
        "out_biases_D": [dim],
        **({"contents_CD": [num_names, dim]} if num_names else {}),
    }
    return all(shapes.get(name) == shape for name, shape in wanted.items())


def _damaged(path: Path, what: str) -> ModelError:
    return ModelError(
        f"{path.name} {what}",
        where=str(path),
        fix="run `endcap refresh SHOP --again train`",
        code=Code.BUNDLE_DAMAGED,
    )
