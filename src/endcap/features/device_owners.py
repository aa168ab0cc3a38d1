"""Whose each device is, as of a bundle's last day: a visitor who is not logged in is met as who he was last.

A server loads this file; it needs numpy and nothing else. D devices.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from endcap.core.errors import BundleError, Code

__all__ = ["DeviceOwners", "write_owners"]

_KEY_BYTES = 32
_KEY = np.dtype(f"S{_KEY_BYTES}")
_FILES = ("devices.npy", "users.npy")


def write_owners(folder: Path, owners: Mapping[str, str]) -> None:
    """Write whose devices are into an existing folder; the bytes depend on the mapping alone.

    Args:
        folder: Where `devices.npy` and `users.npy` are put.
        owners: Keyed hash of the device -> of the user, 32 hex digits each.
    """
    devices = sorted(owners)
    assert all(len(key) == _KEY_BYTES for each in owners.items() for key in each), "a key has 32 hex digits"
    for name, keys in zip(_FILES, (devices, [owners[device] for device in devices]), strict=True):
        np.save(folder / name, np.array([key.encode("ascii") for key in keys], _KEY), allow_pickle=False)


class DeviceOwners:
    """Whose the devices of a bundle are. Several processes share one copy of them in memory.

    Args:
        devices: D keys, ascending.
        users: D keys of their users.
    """

    def __init__(self, devices: NDArray[np.bytes_], users: NDArray[np.bytes_]) -> None:
        self._devices = devices
        self._users = users

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Map what `write_owners` wrote; a bundle without it knows of no device.

        Raises:
            BundleError: A file is missing, damaged or does not fit the other.
        """
        if not folder.is_dir():
            return cls(np.zeros(0, _KEY), np.zeros(0, _KEY))
        try:
            devices, users = (np.asarray(np.load(folder / name, mmap_mode="r", allow_pickle=False)) for name in _FILES)
        except (OSError, EOFError, ValueError) as error:
            raise _damaged(folder, f"cannot be read: {error}") from error
        if devices.dtype != _KEY or users.dtype != _KEY or len(devices) != len(users):
            raise _damaged(folder, f"do not fit: {len(devices)} of {devices.dtype}, {len(users)} of {users.dtype}")
        return cls(devices, users)

    def __len__(self) -> int:
        return len(self._devices)

    def owner_of(self, device_key: str) -> str | None:
        """Return the user whose device it is; None for one that nobody has logged in on, and for a user's own key."""
        name = device_key.encode()
        if len(name) != _KEY_BYTES:  # numpy would cut a longer one short, and find somebody else
            return None
        wanted = np.array(name, _KEY)
        place = int(np.searchsorted(self._devices, wanted))
        if place == len(self._devices) or self._devices[place] != wanted:
            return None
        owner: bytes = self._users[place]
        return owner.decode("ascii")


def _damaged(folder: Path, what: str) -> BundleError:
    return BundleError(
        f"the bundle's device owners {what}",
        where=str(folder),
        fix="run `endcap refresh --again bundle`",
        code=Code.BUNDLE_DAMAGED,
    )
