"""A fitted model on disk: `scorer.json` (kind, settings, shapes) and `arrays.safetensors`. Never pickle.

The bytes depend on what is saved alone: keys are sorted, no time and no path is written.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from endcap.core.errors import Code, ModelError

__all__ = ["are_finite", "damaged", "kind_of", "load_arrays", "save_arrays"]

_SETTINGS = "scorer.json"
_ARRAYS = "arrays.safetensors"
_FORMAT = 1
"""Number of this layout; a reader refuses others."""


def save_arrays(folder: Path, *, kind: str, settings: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a model into an existing folder.

    Args:
        folder: An empty folder.
        kind: The algorithm's tag.
        settings: What JSON can hold.
        arrays: Name -> array of any shape and numeric type.
    """
    found = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    plain = {
        "format": _FORMAT,
        "kind": kind,
        "settings": dict(settings),
        "arrays": {name: {"dtype": str(array.dtype), "shape": list(array.shape)} for name, array in found.items()},
    }
    (folder / _SETTINGS).write_text(json.dumps(plain, indent=2, sort_keys=True, allow_nan=False) + "\n", "utf-8")
    (folder / _ARRAYS).write_bytes(save(found))


def load_arrays(folder: Path, *, kind: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read what `save_arrays` wrote.

    Args:
        folder: The model's folder.
        kind: The algorithm's tag that is expected.

    Returns:
        The settings and the arrays by name.

    Raises:
        ModelError: A file is missing or damaged, the arrays are not those of `scorer.json`, or the kind differs.
    """
    plain = _read_settings(folder)
    if plain["kind"] != kind:
        raise damaged(folder / _SETTINGS, f"this is a model of kind '{plain['kind']}', not '{kind}'")
    try:
        arrays = load((folder / _ARRAYS).read_bytes())
    except (OSError, SafetensorError, ValueError) as error:
        raise damaged(folder / _ARRAYS, f"the model's arrays cannot be read: {error}") from error
    found = {name: {"dtype": str(array.dtype), "shape": list(array.shape)} for name, array in arrays.items()}
    if found != plain["arrays"]:
        raise damaged(folder / _ARRAYS, "the model's arrays are not those that scorer.json names")
    return plain["settings"], arrays


def kind_of(folder: Path) -> str:
    """Return the tag of the algorithm that made a model.

    Raises:
        ModelError: `scorer.json` is missing or damaged.
    """
    return str(_read_settings(folder)["kind"])


def _read_settings(folder: Path) -> dict[str, Any]:
    path = folder / _SETTINGS
    try:
        plain = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise damaged(path, f"the model's settings cannot be read: {error}") from error
    if not isinstance(plain, dict) or plain.get("format") != _FORMAT or {"kind", "settings", "arrays"} - set(plain):
        raise damaged(path, f"these are no model settings of format {_FORMAT}")
    return plain


def damaged(path: Path, what: str) -> ModelError:
    """Return the error of a model's file that cannot be used.

    Args:
        path: The file.
        what: What is wrong with it.
    """
    return ModelError(what, where=str(path), fix="run `endcap refresh SHOP --again train`", code=Code.BUNDLE_DAMAGED)


def are_finite(arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Say whether every number of some arrays is one.

    >>> are_finite({"a": np.ones(2)}), are_finite({"a": np.array([1.0, np.nan])})
    (True, False)
    """
    return all(bool(np.isfinite(array).all()) for array in arrays.values())
