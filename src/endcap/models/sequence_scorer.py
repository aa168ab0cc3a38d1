"""The fitted sequence model in numpy alone: what is served and evaluated never loads torch.

Shapes: B queries, N items, L places (the beginning, then the history), D embedding, H heads, K numbers of a head.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from endcap.core.errors import Code, ModelError
from endcap.core.sequences import Queries
from endcap.models.sequence_elements import Elements
from endcap.models.storage import are_finite, load_arrays, save_arrays

__all__ = ["SequenceScorer", "rotations"]

Float32 = NDArray[np.float32]

_KIND = "sequence"
_AT_ONCE = 256
"""Queries that are read at a time: attention holds H x L x L numbers of each."""
_EPSILON = np.float32(1e-6)


@dataclass(frozen=True, eq=False)
class SequenceScorer:
    """Scores by the inner product of what a history comes to and an item's vector, plus the item's own number.

    To an item of the history the inner product of what the history comes to (by `ask`) and what it had come to at that
    item (by `know`) is added, at each of its places.

    Args:
        items_ND: Vectors of items, read and ranked.
        biases_N: What an item scores whatever the history.
        begin_D: Vector of the beginning; of a new visitor all there is.
        events_ED: Vectors of kinds of events.
        gaps_GD: Vectors of pauses.
        norms_MD: Two a block, and the last one: scales after division by the root mean square.
        attend: M/2 x 4D x D: queries, keys, values, and what they come to, of each block.
        attend_gate: M/2 x D x D and its biases, M/2 x D: how much of it is added.
        inner: M/2 x 4D x D, of which the first half goes through silu.
        outer: M/2 x D x 2D.
        inner_gate: As `attend_gate`.
        ask: D x D.
        know: D x D.
        settings: Of the recipe: heads and history, and the others to be shown.
    """

    kind: ClassVar[str] = _KIND

    items_ND: Float32
    biases_N: Float32
    begin_D: Float32
    events_ED: Float32
    gaps_GD: Float32
    norms_MD: Float32
    attend: Float32
    attend_gate: Float32
    attend_gate_biases: Float32
    inner: Float32
    outer: Float32
    inner_gate: Float32
    inner_gate_biases: Float32
    ask: Float32
    know: Float32
    settings: dict[str, Any] = field(default_factory=dict)

    def score(self, queries: Queries) -> Float32:
        """Score all items; see `models.protocol.Scorer`. Repeated neighbours in a history count once."""
        found = [np.zeros((0, len(self.items_ND)), np.float32)]
        for start in range(0, len(queries), _AT_ONCE):
            some = Queries(queries.starts[start : start + _AT_ONCE + 1], queries.items, queries.events, queries.at_us)
            found.append(self._scored(Elements.of(some, self.settings["history"])))
        return np.concatenate(found)

    def is_finite(self) -> bool:
        """Say whether every number is one."""
        return are_finite(self._arrays())

    def save(self, folder: Path) -> None:
        """Write `scorer.json` and `arrays.safetensors`; see `models.protocol.Scorer`."""
        save_arrays(folder, kind=self.kind, settings=self.settings, arrays=self._arrays())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelError: A file is missing or damaged, or of another kind.
        """
        settings, arrays = load_arrays(folder, kind=cls.kind)
        if set(arrays) != {each.name for each in fields(cls) if each.name != "settings"}:
            raise _damaged(folder, f"holds the arrays {', '.join(sorted(arrays))}")
        scorer = cls(**arrays, settings=settings)
        if not scorer.is_finite():
            raise _damaged(folder, "holds numbers that are not finite")
        return scorer

    def _arrays(self) -> dict[str, Float32]:
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "settings"}

    def _scored(self, elements: Elements) -> Float32:
        """Score all items for histories, B x N."""
        values_BLD = self._read(elements)
        ends_BD = values_BLD[np.arange(len(values_BLD)), elements.lengths_B]
        scores_BN: Float32 = ends_BD @ self.items_ND.T + self.biases_N
        known_BLD = values_BLD[:, 1:] @ self.know.T
        back_BL = (known_BLD @ (ends_BD @ self.ask.T)[:, :, None])[:, :, 0] * np.float32(len(self.ask) ** -0.5)
        rows, places = np.nonzero(np.arange(back_BL.shape[1]) < elements.lengths_B[:, None])
        np.add.at(scores_BN, (rows, elements.items_BL[rows, places]), back_BL[rows, places])
        return scores_BN

    def _read(self, elements: Elements) -> Float32:
        """Return what each beginning of each history comes to, B x L x D: place 0 has seen nothing."""
        vectors_BLD = (
            self.items_ND[elements.items_BL] + self.events_ED[elements.events_BL] + self.gaps_GD[elements.gaps_BL]
        )
        begin_B1D = np.broadcast_to(self.begin_D, (len(vectors_BLD), 1, len(self.begin_D)))
        values_BLD = np.concatenate([begin_B1D, vectors_BLD], axis=1)
        for block in range(len(self.attend)):
            norm_BLD = _normed(values_BLD, self.norms_MD[2 * block])
            gate_BLD = _sigmoid(norm_BLD @ self.attend_gate[block].T + self.attend_gate_biases[block])
            values_BLD = values_BLD + gate_BLD * self._attended(norm_BLD, self.attend[block])
            norm_BLD = _normed(values_BLD, self.norms_MD[2 * block + 1])
            gate_BLD = _sigmoid(norm_BLD @ self.inner_gate[block].T + self.inner_gate_biases[block])
            left, right = np.split(norm_BLD @ self.inner[block].T, 2, axis=-1)
            values_BLD = values_BLD + gate_BLD * ((left * _sigmoid(left) * right) @ self.outer[block].T)
        return _normed(values_BLD, self.norms_MD[-1])

    def _attended(self, values_BLD: Float32, weights: Float32) -> Float32:
        """Let each place look at itself and what came before it."""
        batch, length, dim = values_BLD.shape
        heads = self.settings["heads"]
        asked, known, told = np.split(values_BLD @ weights[: 3 * dim].T, 3, axis=-1)
        by_head = [np.swapaxes(each.reshape(batch, length, heads, -1), 1, 2) for each in (asked, known, told)]
        cosines_LK, sines_LK = rotations(length, dim // heads)
        asked_BHLK, known_BHLK = (_turned(each, cosines_LK, sines_LK) for each in by_head[:2])
        weights_BHLL = asked_BHLK @ np.swapaxes(known_BHLK, -1, -2) * np.float32((dim // heads) ** -0.5)
        weights_BHLL = np.where(np.tri(length, dtype=bool), weights_BHLL, np.float32(-np.inf))
        weights_BHLL = np.exp(weights_BHLL - weights_BHLL.max(axis=-1, keepdims=True))
        weights_BHLL /= weights_BHLL.sum(axis=-1, keepdims=True)
        together_BLD = np.swapaxes(weights_BHLL @ by_head[2], 1, 2).reshape(batch, length, dim)
        found: Float32 = together_BLD @ weights[3 * dim :].T
        return found


def rotations(length: int, width: int) -> tuple[Float32, Float32]:
    """Return cosines and sines of the angles by which places turn pairs of numbers, each length x width / 2.

    Args:
        length: Places.
        width: Numbers of a head.
    """
    angles = np.arange(length)[:, None] * 10_000.0 ** (-np.arange(0, width, 2) / width)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def _turned(values: Float32, cosines: Float32, sines: Float32) -> Float32:
    even, odd = values[..., 0::2], values[..., 1::2]
    return np.stack([even * cosines - odd * sines, even * sines + odd * cosines], axis=-1).reshape(values.shape)


def _normed(values: Float32, scales_D: Float32) -> Float32:
    mean_squares: Float32 = np.mean(values * values, axis=-1, keepdims=True, dtype=np.float32)
    scaled: Float32 = values / np.sqrt(mean_squares + _EPSILON) * scales_D
    return scaled


def _sigmoid(values: Float32) -> Float32:
    """Return 1 / (1 + e^-x), by tanh: no power runs out of the range of numbers."""
    half = np.float32(0.5)
    share: Float32 = half + half * np.tanh(half * values)
    return share


def _damaged(folder: Path, what: str) -> ModelError:
    return ModelError(
        f"arrays.safetensors {what}",
        where=str(folder / "arrays.safetensors"),
        fix="run `endcap refresh SHOP --again train`",
        code=Code.BUNDLE_DAMAGED,
    )
