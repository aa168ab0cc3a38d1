"""A table store in a bucket whose data files are read from copies on this machine's disk."""

from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa

from endcap.core.contract import Table
from endcap.stores.adapters.delta import DeltaTables
from endcap.stores.cache import LocalCache
from endcap.stores.tables import DataFile, Fence

__all__ = ["CachedTables"]


class CachedTables:
    """The table store port on Delta tables of a bucket; `files` names local copies, which stay until it is closed.

    A data file of Delta never changes, so a copy is right for ever. Writing goes to the bucket alone.

    Args:
        tables: The tables.
        root: Their URL.
        cache: Where copies are kept; its keys are paths below the URL.
    """

    def __init__(self, tables: DeltaTables, root: str, cache: LocalCache) -> None:
        self._tables = tables
        self._root = root
        self._cache = cache

    def version(self, table: Table) -> int:
        """Return the latest version, -1 if there is none."""
        return self._tables.version(table)

    def schema_version(self, table: Table) -> int:
        """Return the version of the contract under which it was last written."""
        return self._tables.schema_version(table)

    def files(self, table: Table, partitions: Sequence[str] | None = None) -> list[str]:
        """Return local copies of the data files of the latest version; those that are not here are fetched.

        Raises:
            StoreError: The bucket cannot be read (STORAGE_...), or the disk has no room (DISK_FULL).
        """
        sizes = self._tables.sizes(table, partitions)
        wanted = {uri.removeprefix(f"{self._root}/"): size for uri, size in sizes.items()}
        return sorted(str(path) for path in self._cache.bring(wanted)) if wanted else []

    def partitions(self, table: Table) -> list[str]:
        """Return the partitions that hold rows."""
        return self._tables.partitions(table)

    def replace(
        self, table: Table, partitions: Sequence[str], rows: pa.RecordBatchReader, *, fence: Fence | None = None
    ) -> int:
        """Put rows in the place of whole partitions, in one commit; see the port."""
        return self._tables.replace(table, partitions, rows, fence=fence)

    def at(self, versions: Mapping[str, int]) -> "CachedTables":
        """Return these tables as they were; see the port."""
        return CachedTables(self._tables.at(versions), self._root, self._cache)

    def folder(self, table: Table) -> str:
        """Return the URL below which the table's data files lie."""
        return self._tables.folder(table)

    def written(self, table: Table, attempt: str) -> list[DataFile]:
        """Return the data files that an attempt has written; see the port."""
        return self._tables.written(table, attempt)

    def adopt(
        self,
        table: Table,
        partitions: Sequence[str],
        files: Sequence[DataFile],
        *,
        read_version: int,
        fence: Fence | None = None,
    ) -> int:
        """Put files that others have written in the place of whole partitions, in one commit; see the port."""
        return self._tables.adopt(table, partitions, files, read_version=read_version, fence=fence)

    def clean(self, table: Table, *, fence: Fence, living: Collection[str] = ()) -> list[str]:
        """Remove the files of attempts that died before their commit; see the port."""
        return self._tables.clean(table, fence=fence, living=living)

    def rearrange(
        self, table: Table, partitions: Sequence[str], rows: pa.RecordBatchReader, *, fences: Sequence[Fence]
    ) -> int:
        """Write the same rows of whole partitions anew; see the port."""
        return self._tables.rearrange(table, partitions, rows, fences=fences)

    def file_sizes(self, table: Table) -> dict[str, list[int]]:
        """Return the bytes of each data file of the latest version, by partition."""
        return self._tables.file_sizes(table)

    def versions(self, table: Table) -> dict[int, int]:
        """Return the versions that the log still knows -> when each was made."""
        return self._tables.versions(table)

    def vacuum(self, table: Table, *, keep: Collection[int], dry_run: bool) -> list[str]:
        """Remove the data files that no kept version names, and the copies of them here; see the port.

        The bucket tells also what other machines have removed before: copies of that go, too.
        """
        gone = self._tables.vacuum(table, keep=keep, dry_run=dry_run)
        if not dry_run:
            self._cache.drop(f"{table.name}/{name}" for name in gone)
        return gone

    def close(self) -> None:
        """Let go of the copies."""
        self._cache.close()
