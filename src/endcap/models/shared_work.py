"""What the ranks of a fit are given, as files of one folder: JSON, and arrays that all of them map into memory.

Files and not pipes: arrays are written once, however many ranks there are, and their pages are shared.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
import pyarrow as pa

from endcap.core.errors import Code, ModelError
from endcap.core.sequences import Catalogue, Sequences
from endcap.models.protocol import SharedAlgorithm
from endcap.models.registry import algorithm
from endcap.models.training.files import Files
from endcap.models.training.settings import TrainingSettings
from endcap.models.training.source import InMemory, Source
from endcap.stores.local_files import check_room

__all__ = ["SCORER", "Work"]

SCORER = "scorer"
"""The folder within that of the work where rank 0 leaves the model."""
_FIT, _CATALOGUE, _FILES = "fit.json", "catalogue.json", "files.json"


@dataclass(frozen=True)
class Work:
    """One fit, but for who is told of it.

    Args:
        recipe: What is fitted.
        source: What it learns from: all in memory, or the row groups of Parquet files.
        catalogue: The N items.
        seed: Of the run.
        settings: How to train.
        checkpoints: Folder of checkpoints; None keeps none.
    """

    recipe: SharedAlgorithm
    source: Source
    catalogue: Catalogue
    seed: int
    settings: TrainingSettings
    checkpoints: Path | None

    def write(self, folder: Path) -> None:
        """Write it into an existing empty folder.

        Raises:
            ModelError: The recipe's name and settings do not make the recipe; or the source is neither InMemory nor
                Files, which other processes would not find.
            StoreError: The disk has no room for the sequences.
        """
        told = self.recipe.model_dump(mode="json")
        if algorithm(self.recipe.kind, told) != self.recipe:
            raise _not_by_name(self.recipe.kind)
        if not isinstance(self.source, Files | InMemory):
            raise _not_by_file(self.source)
        fit = {
            "kind": self.recipe.kind, "recipe": told, "seed": self.seed, "settings": self.settings.model_dump(),
            "checkpoints": None if self.checkpoints is None else str(self.checkpoints.absolute()),
        }  # fmt: skip
        (folder / _FIT).write_bytes(msgspec.json.encode(fit))
        (folder / _CATALOGUE).write_bytes(msgspec.json.encode(self.catalogue, enc_hook=int))
        if isinstance(self.source, Files):
            (folder / _FILES).write_bytes(msgspec.json.encode(_told_files(self.source)))
        else:
            _write_arrays(self.source.sequences, folder)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what `write` wrote.

        Raises:
            ModelError: This process has no algorithm of that name.
        """
        fit = msgspec.json.decode((folder / _FIT).read_bytes())
        files = folder / _FILES
        recipe: Any = algorithm(fit["kind"], fit["recipe"])  # it was one that ranks may share where it was written
        return cls(
            recipe,
            _untold_files(msgspec.json.decode(files.read_bytes())) if files.is_file() else InMemory(_arrays(folder)),
            msgspec.json.decode((folder / _CATALOGUE).read_bytes(), type=Catalogue),
            fit["seed"],
            TrainingSettings(**fit["settings"]),
            None if fit["checkpoints"] is None else Path(fit["checkpoints"]),
        )


def _write_arrays(sequences: Sequences, folder: Path) -> None:
    found = {each.name: getattr(sequences, each.name) for each in fields(Sequences)}
    arrays = {name: array for name, array in found.items() if array is not None}
    check_room(folder, sum(array.nbytes for array in arrays.values()), what="what ranks learn from takes")
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)


def _arrays(folder: Path) -> Sequences:
    # Copy on write: pages are shared by all ranks until one of them writes into its own.
    return Sequences(**{path.stem: np.asarray(np.load(path, mmap_mode="c", allow_pickle=False))
                        for path in folder.glob("*.npy")})  # fmt: skip


def _told_files(source: Files) -> dict[str, Any]:
    return {"places": source.places, "sizes": list(source.sizes), "window": source.window,
            "item_ids": source.item_ids.to_pylist()}  # fmt: skip


def _untold_files(told: Mapping[str, Any]) -> Files:
    places = tuple((file, group) for file, group in told["places"])
    return Files(places, told["sizes"], told["window"], pa.array(told["item_ids"], pa.string()))


def _not_by_file(source: Source) -> ModelError:
    return ModelError(
        f"sequences of a {type(source).__name__} cannot be handed to other processes",
        where="$.models.training.ranks",
        fix="give them as endcap.models.training.source.InMemory or .files.Files, or set ranks to 1",
        code=Code.CONFIG_INVALID,
    )


def _not_by_name(kind: str) -> ModelError:
    return ModelError(
        f"the algorithm '{kind}' is not what its name and settings make, so other processes cannot fit it",
        where="$.models.training.ranks",
        fix=f"let the entry point '{kind}' of the group endcap.algorithms name its recipe, or set ranks to 1",
        code=Code.MODEL_UNKNOWN,
    )
