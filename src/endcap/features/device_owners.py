"""Whose each device is, as of a bundle's last day: a visitor who is not logged in is met as who he was last.

A server loads this file; it needs numpy and nothing else. D devices.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from endcap.features.keyed_arrays import KEY, damaged, keys_array, mapped, place_of

__all__ = ["DeviceOwners", "write_owners"]

_FILES = ("devices.npy", "users.npy")


def write_owners(folder: Path, owners: Mapping[str, str]) -> None:
    """Write whose devices are into an existing folder; the bytes depend on the mapping alone.

    Args:
        folder: Where `devices.npy` and `users.npy` are put.
        owners: Keyed hash of the device -> of the user, 32 hex digits each.
    """
    devices = sorted(owners)
    for name, keys in zip(_FILES, (devices, [owners[device] for device in devices]), strict=True):
        np.save(folder / name, keys_array(keys), allow_pickle=False)


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
            return cls(np.zeros(0, KEY), np.zeros(0, KEY))
        devices, users = mapped(folder, _FILES, what="device owners")
        if devices.dtype != KEY or users.dtype != KEY or len(devices) != len(users):
            told = f"{len(devices)} of {devices.dtype}, {len(users)} of {users.dtype}"
            raise damaged(folder, f"device owners do not fit: {told}")
        return cls(devices, users)

    def __len__(self) -> int:
        return len(self._devices)

    def owner_of(self, device_key: str) -> str | None:
        """Return the user whose device it is; None for one that nobody has logged in on, and for a user's own key."""
        place = place_of(self._devices, device_key)
        if place is None:
            return None
        owner: bytes = self._users[place]
        return owner.decode("ascii")
