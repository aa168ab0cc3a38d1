"""What the online path knows of a user from the tables: the last items, read from memory-mapped arrays.

The only file of this room that a server loads; it needs numpy and nothing else. U users, E elements.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from endcap.core.errors import BundleError, Code

__all__ = ["OnlineFeatures", "write_histories"]

_KEY_BYTES = 32
_FILES = ("keys.npy", "starts.npy", "items.npy")


def write_histories(
    folder: Path, user_keys: Sequence[str], starts: NDArray[np.int64], items: NDArray[np.int32]
) -> None:
    """Write the histories of users into an existing folder; the bytes depend on the arguments alone.

    Args:
        folder: Where `keys.npy`, `starts.npy` and `items.npy` are put.
        user_keys: U keyed hashes of 32 hex digits, ascending, each once.
        starts: U+1 offsets into `items`.
        items: E item numbers, each user's oldest first.
    """
    keys = np.array([key.encode("ascii") for key in user_keys], dtype=f"S{_KEY_BYTES}")
    assert all(len(key) == _KEY_BYTES for key in user_keys), "a user key has 32 hex digits"
    assert (keys[1:] > keys[:-1]).all(), "user keys stand in ascending order, each once"
    assert len(starts) == len(keys) + 1 and int(starts[-1]) == len(items), "starts are U+1 offsets into the items"  # noqa: PT018 - one law
    arrays: list[NDArray[Any]] = [keys, starts.astype(np.int64), items.astype(np.int32)]
    for name, array in zip(_FILES, arrays, strict=True):
        np.save(folder / name, array, allow_pickle=False)


class OnlineFeatures:
    """The histories of a bundle. Several processes share one copy of them in memory.

    Args:
        keys: U keys of 32 bytes, ascending.
        starts: U+1 offsets.
        items: E item numbers.
    """

    def __init__(self, keys: NDArray[np.bytes_], starts: NDArray[np.int64], items: NDArray[np.int32]) -> None:
        self._keys = keys
        self._starts = starts
        self._items = items

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Map what `write_histories` wrote.

        Raises:
            BundleError: A file is missing, damaged or does not fit the others.
        """
        try:
            # As plain arrays on the same mapping: numpy.memmap makes each slice ten times dearer.
            keys, starts, items = (
                np.asarray(np.load(folder / name, mmap_mode="r", allow_pickle=False)) for name in _FILES
            )
        except (OSError, EOFError, ValueError) as error:
            raise _damaged(folder, f"cannot be read: {error}") from error
        if keys.dtype != np.dtype(f"S{_KEY_BYTES}") or starts.dtype != np.int64 or items.dtype != np.int32:
            raise _damaged(folder, f"have types {keys.dtype}, {starts.dtype}, {items.dtype}")
        if len(starts) != len(keys) + 1 or int(starts[-1]) != len(items):
            raise _damaged(folder, f"do not fit: {len(keys)} keys, {len(starts)} offsets, {len(items)} items")
        return cls(keys, starts, items)

    def __len__(self) -> int:
        return len(self._keys)

    def history(self, user_key: str) -> list[int]:
        """Return a user's last item numbers, oldest first; empty for a user who is not known."""
        name = user_key.encode()
        if len(name) != _KEY_BYTES:  # numpy would cut a longer one short, and find somebody else
            return []
        wanted = np.array(name, dtype=self._keys.dtype)
        place = int(np.searchsorted(self._keys, wanted))
        if place == len(self._keys) or self._keys[place] != wanted:
            return []
        found: list[int] = self._items[self._starts[place] : self._starts[place + 1]].tolist()
        return found


def _damaged(folder: Path, what: str) -> BundleError:
    return BundleError(
        f"the bundle's histories {what}",
        where=str(folder),
        fix="run `endcap refresh --again bundle`",
        code=Code.BUNDLE_DAMAGED,
    )
