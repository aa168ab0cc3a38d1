"""A bundle as the server holds it: checked against its manifest, memory-mapped, immutable.

Shapes: N items.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import faiss
import msgspec
import numpy as np
from numpy.typing import NDArray

from endcap.core.errors import BundleError, Code, EndcapError
from endcap.core.manifest import BundleManifest, read_manifest
from endcap.core.sequences import Queries
from endcap.features.device_owners import DeviceOwners
from endcap.features.online import OnlineFeatures
from endcap.features.visitor_rows import PastRows
from endcap.index.flat import FlatIndex
from endcap.models.protocol import Scorer, VectorScorer
from endcap.serving.items import Items

__all__ = ["POPULAR", "Explains", "LoadScorer", "ServingBundle", "open_bundle"]

LoadScorer = Callable[[Path], Scorer]
"""Reads the scorer in a folder, whatever its kind."""

POPULAR = "popular"
"""The model and source that needs to know nothing of a visitor."""


@runtime_checkable
class Explains(Protocol):
    """A model that can say which item of a query speaks for an item."""

    def because(self, query_items: list[int], item: int) -> int | None:
        """Return an item number of the query, None where none of them does."""
        ...


@dataclass(frozen=True)
class ServingBundle:
    """Everything that an answer is made from. Nothing in it changes.

    Args:
        folder: Where it lies.
        manifest: What it is made of.
        items: The N items.
        models: Name -> scorer of all N items.
        indexes: Name -> index over the vectors of the model of that name.
        towers: Name -> the model of that name as one with vectors, for those that have an index.
        speakers: Name -> the model of that name as one that can say why, for those that can.
        recall: Name -> recall that the index had when it was built.
        histories: What users did up to the bundle's last day.
        visitors: Their last rows of events, from which features are computed.
        owners: Whose the devices are on which nobody is logged in.
        popular: All item numbers, the most popular first: the answer that cannot fail.
        popular_scores: Scores of all items for a visitor of whom nothing is known.
    """

    folder: Path
    manifest: BundleManifest
    items: Items
    models: Mapping[str, Scorer]
    indexes: Mapping[str, FlatIndex]
    towers: Mapping[str, VectorScorer]
    speakers: Mapping[str, Explains]
    recall: Mapping[str, float]
    histories: OnlineFeatures
    visitors: PastRows
    owners: DeviceOwners
    popular: NDArray[np.int64]
    popular_scores: NDArray[np.float32]

    @property
    def version(self) -> str:
        """The bundle's id, which answers name as their model_version."""
        return self.manifest.bundle_id


def open_bundle(folder: Path, load_scorer: LoadScorer) -> ServingBundle:
    """Open a bundle, if every file is what the manifest says and every model answers.

    Args:
        folder: `bundles/<bundle_id>`.
        load_scorer: Reads a model's folder.

    Raises:
        BundleError: It is missing, damaged or of another layout; the one in force should stay.
    """
    faiss.omp_set_num_threads(1)  # one process a core: more threads only fight
    manifest = read_manifest(folder)
    _check_files(folder, manifest)
    try:
        items = Items.open(folder / "items.arrow")
        models = {entry.name: load_scorer(folder / "models" / entry.name) for entry in manifest.models}
        indexed = [entry.name for entry in manifest.models if entry.vectors]
        indexes = {name: FlatIndex.load(folder / "index" / name) for name in indexed}
        recall = {name: _recall(folder / "index" / name / "report.json") for name in indexed}
        histories = OnlineFeatures.open(folder / "histories")
        visitors = PastRows.open(folder / "visitors")
        owners = DeviceOwners.open(folder / "owners")
        scores = {name: _scores_of_nobody(name, model) for name, model in models.items()}
    except BundleError:
        raise
    except Exception as error:  # a scorer of another package may fail in ways of its own
        told = error.what if isinstance(error, EndcapError) else f"{type(error).__name__}: {error}"
        raise _damaged(folder, f"a part of the bundle cannot be used: {told}") from error
    _check_sizes(
        folder, manifest, scores, {"items.arrow": len(items), **{f"index/{n}": len(indexes[n]) for n in indexed}}
    )
    popular_scores_N = scores.get(POPULAR, scores.get(manifest.default_model, np.zeros(len(items), np.float32)))
    return ServingBundle(
        folder=folder,
        manifest=manifest,
        items=items,
        models=MappingProxyType(models),
        indexes=MappingProxyType(indexes),
        towers=MappingProxyType(_towers(folder, models, indexed)),
        # Asked once here: looking whether a model has what a protocol names costs more than most of what it does.
        speakers=MappingProxyType({name: model for name, model in models.items() if isinstance(model, Explains)}),
        recall=MappingProxyType(recall),
        histories=histories,
        visitors=visitors,
        owners=owners,
        popular=np.argsort(-np.nan_to_num(popular_scores_N, nan=-np.inf), kind="stable"),
        popular_scores=popular_scores_N,
    )


def _check_files(folder: Path, manifest: BundleManifest) -> None:
    """Compare every file with its digest in the manifest."""
    for name, digest in sorted(manifest.files.items()):
        try:
            with (folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise _damaged(folder / name, "a file of the bundle is missing") from error
        if found != digest:
            raise _damaged(folder / name, f"a file of the bundle has digest {found[:12]}, not {digest[:12]}")
    if manifest.content_digest and manifest.digest() != manifest.content_digest:
        raise _damaged(folder / "manifest.json", "the manifest does not have the digest it names")


def _check_sizes(
    folder: Path, manifest: BundleManifest, scores: Mapping[str, NDArray[np.float32]], sizes: Mapping[str, int]
) -> None:
    """Every part must be about the same N items, and every model must have answered with numbers."""
    sizes = {**sizes, **{f"models/{name}": len(scores_N) for name, scores_N in scores.items()}}
    for name, size in sizes.items():
        if size != manifest.num_items:
            raise _damaged(folder / name, f"it is about {size:,} items, the manifest about {manifest.num_items:,}")
    for name, scores_N in scores.items():
        if not np.isfinite(scores_N).any():
            raise _damaged(folder / "models" / name, f"the model '{name}' scores nothing")
    if not manifest.num_items:
        raise _damaged(folder, "the bundle holds no items")


def _towers(folder: Path, models: Mapping[str, Scorer], indexed: Sequence[str]) -> dict[str, VectorScorer]:
    """Return the models that have an index, which need vectors to ask it."""
    towers = {}
    for name in indexed:
        model = models[name]
        if not isinstance(model, VectorScorer):
            raise _damaged(folder / "index" / name, f"there is an index, but the model '{name}' has no vectors")
        towers[name] = model
    return towers


def _scores_of_nobody(name: str, model: Scorer) -> NDArray[np.float32]:
    """Score all items for a new visitor, which shows that the model works."""
    scores_BN = model.score(Queries.of([[]]))
    if scores_BN.ndim != 2 or len(scores_BN) != 1:
        raise ValueError(f"the model '{name}' answers one query with the shape {scores_BN.shape}")
    scores_N: NDArray[np.float32] = scores_BN[0]
    return scores_N


def _recall(path: Path) -> float:
    report = msgspec.json.decode(path.read_bytes(), type=dict[str, float])
    return report["recall_min"]


def _damaged(place: Path, what: str) -> BundleError:
    return BundleError(what, where=str(place), fix="run `endcap refresh --again bundle`", code=Code.BUNDLE_DAMAGED)
