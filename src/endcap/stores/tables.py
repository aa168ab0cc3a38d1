"""What the house asks of a table store: versioned tables whose partitions are replaced in one commit."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from endcap.core.contract import Table
from endcap.core.data_file import DataFile

__all__ = ["SAFETY_HOURS", "DataFile", "Fence", "TableStore"]

SAFETY_HOURS = 24
"""A data file younger than this is never removed: no run takes so long from its first file to its commit."""


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

    def folder(self, table: Table) -> str:
        """Return the folder or URL below which the table's data files lie, whether it is there or not."""
        ...

    def written(self, table: Table, attempt: str) -> list[DataFile]:
        """Return the data files below a table's folder "attempt-<attempt>", as their Parquet footers tell them.

        Files without rows, and those whose names begin with "_" or "." (an executor's work in progress), are left out.
        """
        ...

    def adopt(
        self,
        table: Table,
        partitions: Sequence[str],
        files: Sequence[DataFile],
        *,
        read_version: int,
        fence: Fence | None = None,
    ) -> int:
        """Put files that others have written in the place of whole partitions, in one commit; as `replace` otherwise.

        The commit is made only on a version in which these partitions hold what they held in `read_version`. Other
        partitions may have been written since. Adopting the same files again changes nothing.

        Args:
            table: The contract; it is made in the store if it is not there.
            partitions: The partitions replaced; one without files becomes empty. Ignored for a table without
                partitions, which is replaced whole.
            files: All files of these partitions, already there in full, below the table's folder.
            read_version: The table's version before the first row that went into these files was read; -1 if there
                was none.
            fence: The writer's right; None for a table that one process alone may write.

        Returns:
            The version in which the files are; a later one if they were in already.

        Raises:
            LedgerError: A newer holder of the fence has written (FENCED), these partitions were written since
                `read_version`, or a file is not there in full (TABLE_CHANGED). Nothing was committed.
            StoreError: Partitions that stay were written under a contract that this one cannot read (TABLE_SCHEMA).
        """
        ...

    def clean(self, table: Table, *, fence: Fence, living: Collection[str] = ()) -> list[str]:
        """Remove the files of attempts that died before their commit.

        What goes: every file below an "attempt-<id>" folder that no version in the log names, unless its id is living.
        First the fence is put into the table's log, so that a dead attempt which wakes up cannot commit what is gone.

        Args:
            table: The contract.
            fence: The right to write the table, in hand: no other holder may be writing.
            living: Ids of the attempts that write under this same fence now.

        Returns:
            The paths removed, relative to the table's folder, sorted.

        Raises:
            LedgerError: A newer holder of the fence has written (FENCED); nothing is removed.
        """
        ...

    def file_sizes(self, table: Table) -> dict[str, list[int]]:
        """Return the bytes of each data file of the latest version, by partition; {} if it was never written."""
        ...

    def rearrange(
        self, table: Table, partitions: Sequence[str], rows: pa.RecordBatchReader, *, fences: Sequence[Fence]
    ) -> int:
        """Write the same rows of whole partitions anew, into as few files as they need; see `replace`.

        Args:
            table: The contract.
            partitions: The partitions written anew.
            rows: All rows of these partitions, in the order in which they shall lie.
            fences: The rights of all who may write the table: none of them comes after this one's commit with an older.

        Returns:
            The new version.
        """
        ...

    def versions(self, table: Table) -> dict[int, int]:
        """Return the versions that the log still knows -> when each was made, microseconds UTC, ascending."""
        ...

    def vacuum(self, table: Table, *, keep: Collection[int], dry_run: bool) -> list[str]:
        """Remove the data files that no kept version names and that nobody can be using.

        A file stays if the latest version or one of `keep` names it, or if it was written or taken out of the table
        less than `SAFETY_HOURS` ago: it may belong to a commit that is still to come, or to a reader.

        Args:
            table: The contract.
            keep: Versions that stay readable, besides the latest; one that the log does not know is passed over.
            dry_run: Tell what would go and remove nothing.

        Returns:
            The files, relative to the table's folder, ascending.
        """
        ...
