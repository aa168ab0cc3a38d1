"""What an algorithm is: a recipe that is fitted, and the scorer that comes out of it.

The recipe (settings) and the result are two types, so nothing is ever "not fitted". A third party adds an algorithm
with one file that has both and passes `endcap.testing.algorithms`.

Shapes: B queries, N items, D embedding.
"""

from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from endcap.core.sequences import Catalogue, Int32, Queries, Sequences
from endcap.models.training.settings import TrainingRun
from endcap.models.training.source import Source

__all__ = ["Algorithm", "Scorer", "SharedAlgorithm", "TakesItems", "TrainedAlgorithm", "VectorScorer"]


class Scorer(Protocol):
    """A fitted model: scores every item of its catalogue for each query. Immutable; knows numpy only, never torch."""

    @property
    def kind(self) -> str:
        """The algorithm's tag, the same as the recipe's."""
        ...

    def score(self, queries: Queries) -> NDArray[np.float32]:
        """Score all items.

        Args:
            queries: B histories; an empty history is a new visitor and gets a sensible answer.

        Returns:
            B x N float32, higher is better, never NaN. Each row depends on its own query alone.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write `scorer.json` (kind, shapes, settings) and `arrays.safetensors` into an existing empty folder.

        The bytes depend on the scorer alone.
        """
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelError: A file is missing or damaged, or of another kind.
        """
        ...


@runtime_checkable
class VectorScorer(Scorer, Protocol):
    """A scorer whose score is an inner product, so that an index can find its best items."""

    @property
    def item_vectors_ND(self) -> NDArray[np.float32]:
        """The items' vectors, N x D float32."""
        ...

    def query_vectors_BD(self, queries: Queries) -> NDArray[np.float32]:
        """The queries' vectors, B x D float32; `score` is their inner product with the items' vectors."""
        ...


@runtime_checkable
class TakesItems(Scorer, Protocol):
    """A scorer that can score items that came after it was fitted, by their content."""

    def with_items(self, catalogue: Catalogue, numbers_N: Int32) -> Self:
        """Return this model for a catalogue that has changed.

        Args:
            catalogue: The N items of now.
            numbers_N: Of each the number that it has in this model, -1 for a new one.

        Returns:
            A model of N items; what it knew of an item it knows still.
        """
        ...


class Algorithm(Protocol):
    """A recipe: frozen settings with a tag, and one `fit`."""

    @property
    def kind(self) -> str:
        """The algorithm's tag: a name of one word with underscores."""
        ...

    def fit(self, sequences: Sequences, catalogue: Catalogue, *, seed: int) -> Scorer:
        """Learn from sequences.

        Args:
            sequences: S sequences over the catalogue's items; may be empty.
            catalogue: N items, at least one.
            seed: Of the run; the same inputs and seed give the same bytes.

        Raises:
            ModelError: The sequences do not suffice for this algorithm.
        """
        ...


@runtime_checkable
class TrainedAlgorithm(Algorithm, Protocol):
    """A recipe that is fitted step by step, so that it can tell progress, be stopped and go on."""

    @property
    def reads_windows(self) -> bool:
        """Whether it reads a source in windows; else it gets everything in memory, with users and negatives."""
        ...

    def train(self, source: Source, catalogue: Catalogue, *, seed: int, run: TrainingRun) -> Scorer:
        """Learn from sequences; `fit` is this with the settings of a run left as they are.

        Args:
            source: Sequences in shards, which need not fit into memory together.
            catalogue: As for `fit`.
            seed: As for `fit`.
            run: How to train, where checkpoints lie, who is told. From the latest checkpoint of the same settings, data
                and seed it goes on to the same bytes.

        Raises:
            ModelError: The loss ran out of the numbers' range, or there is no such device, or no room on the disk.
        """
        ...


@runtime_checkable
class SharedAlgorithm(TrainedAlgorithm, Protocol):
    """A recipe that several processes may fit together: `train` is called in each, and its loop shares the steps out.

    Each process makes the recipe anew from its kind and settings, so the kind is the name of its entry point.
    """

    @property
    def shares_steps(self) -> bool:
        """Whether they may; a recipe without this word is fitted by one process."""
        ...

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        """Return the settings as JSON can hold them, with mode "json", as pydantic does."""
        ...
