"""Arrays of keyed hashes that processes map from a bundle's files, and finding a key in them.

A server loads this file; it needs numpy and nothing else. U keys.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from endcap.core.errors import BundleError, Code

__all__ = ["KEY", "damaged", "keys_array", "mapped", "place_of"]

_KEY_BYTES = 32
KEY = np.dtype(f"S{_KEY_BYTES}")
"""The type of a keyed hash: 32 hex digits."""


def keys_array(keys: Iterable[str]) -> NDArray[np.bytes_]:
    """Return U keyed hashes of 32 hex digits as an array, in their order."""
    told = [key.encode("ascii") for key in keys]
    assert all(len(key) == _KEY_BYTES for key in told), "a key has 32 hex digits"
    return np.array(told, KEY)


def place_of(keys_U: NDArray[np.bytes_], key: str) -> int | None:
    """Return the place of a key among U ascending ones, None if it is not there."""
    name = key.encode()
    if len(name) != _KEY_BYTES:  # numpy would cut a longer one short, and find somebody else
        return None
    wanted = np.array(name, KEY)
    place = int(np.searchsorted(keys_U, wanted))
    return place if place < len(keys_U) and keys_U[place] == wanted else None


def mapped(folder: Path, names: Sequence[str], *, what: str) -> list[NDArray[Any]]:
    """Map arrays of a folder, which processes then share in memory.

    Args:
        folder: The folder.
        names: Its files.
        what: What they are, for the error.

    Raises:
        BundleError: A file is missing or cannot be read.
    """
    try:
        # As plain arrays on the same mapping: numpy.memmap makes each slice ten times dearer.
        return [np.asarray(np.load(folder / name, mmap_mode="r", allow_pickle=False)) for name in names]
    except (OSError, EOFError, ValueError) as error:
        raise damaged(folder, f"{what} cannot be read: {error}") from error


def damaged(folder: Path, what: str) -> BundleError:
    """Return the error of a part of a bundle that is not what it was."""
    return BundleError(
        f"the bundle's {what}",
        where=str(folder),
        fix="run `endcap refresh SHOP --again bundle`",
        code=Code.BUNDLE_DAMAGED,
    )
