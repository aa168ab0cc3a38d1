"""What the house asks of the store of raw ids: the one place that knows whose key a keyed hash is.

It is how a shop joins what was computed back to its customers, and what a request for deletion starts from. It is
encrypted, lies apart from all tables, and what is taken out of it can never be found again.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

__all__ = ["RawIds"]


class RawIds(Protocol):
    """Keeps the raw id behind each keyed hash."""

    def remember(self, names: Mapping[str, str]) -> None:
        """Keep ids; those that are there stay.

        Args:
            names: Keyed hash of 32 hex digits -> `user:` or `device:` and the raw id.
        """
        ...

    def find(self, keys: Iterable[str]) -> dict[str, str]:
        """Return keyed hash -> `user:` or `device:` and the raw id, for those that are known.

        Raises:
            StoreError: What is kept cannot be read under this key.
        """
        ...

    def forget(self, keys: Iterable[str]) -> int:
        """Take ids out for good; return how many there were."""
        ...

    def close(self) -> None:
        """Let go of the store; it is not used afterwards."""
        ...
