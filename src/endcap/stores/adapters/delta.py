"""Delta Lake as the table store (delta-rs): a folder of Parquet files and a log of atomic commits."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError

from endcap.core.contract import Table
from endcap.core.errors import Code, LedgerError
from endcap.stores.tables import Fence

__all__ = ["DeltaTables"]


class DeltaTables:
    """The table store port on Delta tables below one folder.

    Args:
        root: Folder of the lake; each table is a folder in it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def version(self, table: Table) -> int:
        """Return the latest version, -1 if there is none."""
        opened = self._open(table)
        return -1 if opened is None else int(opened.version())

    def files(self, table: Table, partitions: Sequence[str] | None = None) -> list[str]:
        """Return the data files of the latest version."""
        opened = self._open(table)
        if opened is None:
            return []
        if partitions is None or not table.partition:
            return sorted(opened.file_uris())
        wanted = set(partitions)
        # Asked by partition value, not by a filter: a delta-rs filter with many values is slower than this loop.
        return sorted(uri for uri in opened.file_uris() if _partition_of(uri, table) in wanted)

    def partitions(self, table: Table) -> list[str]:
        """Return the partitions that hold rows."""
        opened = self._open(table)
        if opened is None:
            return []
        if not table.partition:
            return [""]
        return sorted({_partition_of(uri, table) for uri in opened.file_uris()})

    def replace(
        self, table: Table, partitions: Sequence[str], rows: pa.RecordBatchReader, *, fence: Fence | None = None
    ) -> int:
        """Put rows in the place of whole partitions, in one commit; see the port."""
        opened = self._open(table)
        if fence is not None and opened is not None:
            _check_fence(opened, fence)
        predicate = None
        if opened is not None and table.partition:
            predicate = f"{table.partition} IN ({', '.join(repr(each) for each in sorted(partitions))})"
        try:
            write_deltalake(
                opened if opened is not None else str(self._root / table.name),
                rows,
                mode="overwrite",
                partition_by=[table.partition] if table.partition else None,
                predicate=predicate,
                commit_properties=_properties(fence),
                writer_properties=WriterProperties(compression="ZSTD", compression_level=1),
            )
        except CommitFailedError as error:
            raise LedgerError(
                f"another writer changed {table.name} while it was being written, nothing was written: {error}",
                where=f"table {table.name}, {len(partitions)} partitions",
                fix="run the command again; if it happens often, look who else writes with `endcap show runs`",
                code=Code.FENCED,
            ) from error
        return self.version(table)

    def _open(self, table: Table) -> DeltaTable | None:
        path = str(self._root / table.name)
        return DeltaTable(path) if DeltaTable.is_deltatable(path) else None


def _partition_of(uri: str, table: Table) -> str:
    return uri.split(f"/{table.partition}=", 1)[1].split("/", 1)[0]


def _check_fence(opened: DeltaTable, fence: Fence) -> None:
    """Refuse a holder whose token is older than that of the last commit.

    The version must be read from the handle that writes: a fresh handle accepts a replay (see ADR 2).
    """
    last = opened.transaction_version(fence.name)
    if last is not None and last > fence.token:
        raise LedgerError(
            f"this runner's lease {fence.token} was taken over by lease {last}, nothing was written",
            where=fence.name,
            fix="nothing: the newer runner does the work; look with `endcap show runs`",
            code=Code.FENCED,
        )


def _properties(fence: Fence | None) -> CommitProperties | None:
    if fence is None:
        return None
    return CommitProperties(app_transactions=[Transaction(app_id=fence.name, version=fence.token)])
