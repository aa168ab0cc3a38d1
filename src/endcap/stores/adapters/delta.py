"""Delta Lake as the table store (delta-rs): Parquet files and a log of atomic commits, in a folder or a bucket."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.schema import ArrayType, DataType

from endcap.core.contract import Table
from endcap.core.errors import Code, LedgerError
from endcap.core.stored_schema import check_stored
from endcap.stores.adapters.object_errors import is_of_a_store, storage_error
from endcap.stores.tables import Fence

__all__ = ["DeltaTables"]

_SCHEMA_VERSION, _SCHEMA_DIGEST = "endcap.schema_version", "endcap.schema_digest"
_KINDS = {"integer": "int32", "long": "int64", "float": "float32", "double": "float64", "boolean": "bool"}


class DeltaTables:
    """The table store port on Delta tables below one folder, or below one prefix of a bucket.

    Args:
        root: Folder of the lake, or its URL (s3://bucket/prefix); each table is a folder in it.
        storage_options: How the URL is reached, in delta-rs's words. A version is committed by a put that fails where
            the object is there (If-None-Match), so of two writers of one version one wins.
    """

    def __init__(self, root: Path | str, storage_options: Mapping[str, str] | None = None) -> None:
        self._root = str(root)
        self._options = dict(storage_options) if storage_options else None

    def version(self, table: Table) -> int:
        """Return the latest version, -1 if there is none."""
        opened = self._open(table)
        return -1 if opened is None else int(opened.version())

    def schema_version(self, table: Table) -> int:
        """Return the version of the contract under which it was last written."""
        opened = self._open(table)
        if opened is None:
            return 0
        with self._told():
            return int(opened.history(1)[0].get(_SCHEMA_VERSION, 0))

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

    def sizes(self, table: Table, partitions: Sequence[str] | None = None) -> dict[str, int]:
        """Return what `files` does, with the bytes of each file."""
        opened = self._open(table)
        if opened is None:
            return {}
        with self._told():
            actions = pa.table(opened.get_add_actions())
            sizes = dict(zip(actions["path"].to_pylist(), actions["size_bytes"].to_pylist(), strict=True))
        folder = f"{self._root}/{table.name}"
        return {
            uri: sizes[uri.removeprefix(f"{folder}/")]
            for uri in sorted(opened.file_uris())
            if partitions is None or not table.partition or _partition_of(uri, table) in partitions
        }

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
        how: Any = {  # shared by the two forms of the call, which differ in their mode
            "partition_by": [table.partition] if table.partition else None,
            "commit_properties": _properties(table, fence, is_new=opened is None),
            "writer_properties": WriterProperties(compression="ZSTD", compression_level=1),
        }
        if opened is not None:
            if table.partition:
                how["predicate"] = f"{table.partition} IN ({', '.join(repr(each) for each in sorted(partitions))})"
            # delta-rs keeps what the predicate spares, and its "merge" does not widen a type.
            is_other = self._is_of_another_contract(table, opened, partitions)
            how["schema_mode"] = "overwrite" if is_other else None
        try:
            if opened is not None:
                write_deltalake(opened, rows, mode="overwrite", **how)
            else:
                # A table that came up since we looked is another writer's: its fence was not checked.
                write_deltalake(f"{self._root}/{table.name}", rows, mode="error", storage_options=self._options, **how)
        except OSError as error:
            if self._options is None or not is_of_a_store(error):
                raise
            raise storage_error(error, where=f"{self._root}/{table.name}") from error
        except (CommitFailedError, DeltaError) as error:
            is_there = opened is None and self.version(table) >= 0
            if not isinstance(error, CommitFailedError) and not is_there:
                raise
            raise LedgerError(
                f"another writer changed {table.name} while it was being written, nothing was written: {error}",
                where=f"table {table.name}, {len(partitions)} partitions",
                fix="run the command again; if it happens often, look who else writes with `endcap show runs`",
                code=Code.FENCED,
            ) from error
        return self.version(table)

    def _is_of_another_contract(self, table: Table, opened: DeltaTable, partitions: Sequence[str]) -> bool:
        """Whether the stored columns are not the contract's.

        Raises:
            StoreError: Partitions that stay have columns which cannot be read under it (TABLE_SCHEMA).
        """
        stored = {field.name: _kind(field.type) for field in opened.schema().fields}
        if stored == {column.name: column.kind.value for column in table.columns}:
            return False
        if table.partition and set(self.partitions(table)) - set(partitions):
            check_stored(table, stored)
        return True

    def _open(self, table: Table) -> DeltaTable | None:
        path = f"{self._root}/{table.name}"
        with self._told():
            is_there = DeltaTable.is_deltatable(path, self._options)
            return DeltaTable(path, storage_options=self._options) if is_there else None

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell what goes wrong with an object store as ours; a folder's errors name their file already."""
        try:
            yield
        except (OSError, DeltaError) as error:
            if self._options is None:
                raise
            raise storage_error(error, where=self._root) from error


def _kind(told: DataType) -> str:
    """Return the type of a stored column in the words of `Kind`, or in Delta's where it is none of these."""
    if isinstance(told, ArrayType):
        return f"list<{_kind(told.element_type)}>"
    return _KINDS.get(told.type, told.type)


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


def _properties(table: Table, fence: Fence | None, *, is_new: bool) -> CommitProperties:
    told = {_SCHEMA_VERSION: str(table.version), _SCHEMA_DIGEST: table.digest}
    transactions = None if fence is None else [Transaction(app_id=fence.name, version=fence.token)]
    # A second writer of version 0 must fail: tried again as version 1, it would leave the rows of both.
    retries = 0 if is_new else None
    return CommitProperties(custom_metadata=told, app_transactions=transactions, max_commit_retries=retries)
