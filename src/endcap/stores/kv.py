"""What the house asks of a key-value store: small values that every server process reads and changes.

It holds what can be made again from logs. So a store may lose the last writes when the machine stops, but never mixes
up a value: it is the old one or the new one.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

__all__ = ["Change", "KeyValues"]

Change = Callable[[bytes | None], bytes]
"""Makes the new value out of the present one, which is None where there is none. It may be called more than once."""


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

    def close(self) -> None:
        """Let go of the store; it is not used afterwards."""
        ...
