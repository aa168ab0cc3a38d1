"""A table store in a bucket whose data files are read from copies on this machine's disk."""

from collections.abc import Sequence

import pyarrow as pa

from endcap.core.contract import Table
from endcap.stores.adapters.delta import DeltaTables
from endcap.stores.cache import LocalCache
from endcap.stores.tables import Fence

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

    def close(self) -> None:
        """Let go of the copies."""
        self._cache.close()
