"""What the house asks of a key-value store: small values that every server process reads and changes.

It holds what can be made again from logs. So a store may lose the last writes when the machine stops, but never mixes
up a value: it is the old one or the new one.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

__all__ = ["Change", "IsOld", "KeyValues"]

Change = Callable[[bytes | None], bytes]
"""Makes the new value out of the present one, which is None where there is none. It may be called more than once."""

IsOld = Callable[[bytes, bytes], bool]
"""Tells of a key and its value whether it may go. It may be called more than once."""


class KeyValues(Protocol):
    """Keeps values by key. Keys have 1 to 511 bytes."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, None if there is none.

        Raises:
            StoreError: The store cannot be reached or used.
        """
        ...

    def put(self, key: bytes, value: bytes) -> None:
        """Set one value.

        Raises:
            StoreError: The store cannot be reached or used, or is full.
        """
        ...

    def change(self, changes: Mapping[bytes, Change]) -> None:
        """Change several values, all or none; no other process writes between the reading and the writing of one.

        Raises:
            StoreError: The store cannot be reached or used, or is full. Nothing was changed.
        """
        ...

    def prune(self, is_old: IsOld) -> int:
        """Remove every value that is old; others may read and write meanwhile, and a full store takes writes again.

        Args:
            is_old: Is asked of the value as it is when it is removed.

        Returns:
            How many were removed; 0 also where another process is at it already.

        Raises:
            StoreError: The store cannot be reached or used. Some values may have been removed.
        """
        ...

    def close(self) -> None:
        """Let go of the store; it is not used afterwards."""
        ...
