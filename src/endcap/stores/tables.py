"""What the house asks of a table store: versioned tables whose partitions are replaced in one commit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from endcap.core.contract import Table

__all__ = ["Fence", "TableStore"]


@dataclass(frozen=True)
class Fence:
    """The right to write, checked inside the commit.

    Args:
        name: What is held (a step of a shop).
        token: Grows with every new holder; a commit with a smaller token than the last one is refused.
    """

    name: str
    token: int


class TableStore(Protocol):
    """Keeps versioned tables."""

    def version(self, table: Table) -> int:
        """Return the table's latest version, -1 if it was never written."""
        ...

    def schema_version(self, table: Table) -> int:
        """Return the version of the contract under which it was last written, 0 where that is not known."""
        ...

    def files(self, table: Table, partitions: Sequence[str] | None = None) -> list[str]:
        """Return the data files of the latest version, of all partitions or of those named; absolute URLs, sorted."""
        ...

    def partitions(self, table: Table) -> list[str]:
        """Return the partitions that hold rows, ascending; [""] for a written table without partitions."""
        ...

    def at(self, versions: Mapping[str, int]) -> "TableStore":
        """Return these tables as they were at some versions, to be read; a table that is not named is not there.

        Raises (when a table is read):
            StoreError: That version, or a file of it, is no longer there (VERSION_GONE).
        """
        ...

    def replace(
        self, table: Table, partitions: Sequence[str], rows: pa.RecordBatchReader, *, fence: Fence | None = None
    ) -> int:
        """Put rows in the place of whole partitions, in one commit, which also notes the contract's version.

        Where the table was written under an older contract, its schema becomes this one's; partitions that stay are not
        touched, and what they lack reads as missing.

        Args:
            table: The contract; it is made in the store if it is not there.
            partitions: The partitions replaced; a partition without rows becomes empty. Ignored for a table without
                partitions, which is replaced whole.
            rows: All rows of these partitions, columns as in the contract.
            fence: The writer's right; None for a table that one process alone may write.

        Returns:
            The new version.

        Raises:
            LedgerError: A newer holder of the fence has written (FENCED).
            StoreError: Partitions that stay were written under a contract that this one cannot read (TABLE_SCHEMA).
        """
        ...
