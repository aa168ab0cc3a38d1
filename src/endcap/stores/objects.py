"""What the house asks of an object store: which objects there are, and the bytes of one."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Objects", "StoredObject"]


@dataclass(frozen=True)
class StoredObject:
    """One object as it was when it was looked at.

    Args:
        key: Its path below the prefix that the store was opened at, parts joined by `/`.
        size: Bytes.
        modified_us: When it was written, microseconds UTC.
        etag: What the store says changes with its bytes; "" where a store says nothing.
    """

    key: str
    size: int
    modified_us: int
    etag: str


class Objects(Protocol):
    """Objects below one prefix."""

    def list(self) -> list[StoredObject]:
        """Return all objects, ascending by key.

        Raises:
            SourceError: The store cannot be reached or refuses (SOURCE_UNREACHABLE).
        """
        ...

    def read(self, key: str) -> AbstractContextManager[tuple[StoredObject, Iterator[bytes]] | None]:
        """Open an object: what it is now, and its bytes in pieces; None if it is no longer there.

        Raises:
            SourceError: The store cannot be reached or refuses (SOURCE_UNREACHABLE), also in the midst of the bytes.
        """
        ...
