"""Delta Lake as the table store (delta-rs): Parquet files and a log of atomic commits, in a folder or a bucket."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
from deltalake import (
    CommitProperties,
    DeltaTable,
    PostCommitHookProperties,
    Transaction,
    WriterProperties,
    write_deltalake,
)
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.schema import ArrayType, DataType

from endcap.core.contract import Table
from endcap.core.data_file import DataFile
from endcap.core.errors import Code, LedgerError, StoreError
from endcap.core.stored_schema import check_stored
from endcap.stores.adapters.delta_bridge import Bridge
from endcap.stores.adapters.object_errors import is_of_a_store, storage_error
from endcap.stores.adapters.parquet_files import files_below, listed, written_files
from endcap.stores.tables import SAFETY_HOURS, Fence

__all__ = ["DeltaTables"]

_SCHEMA_VERSION, _SCHEMA_DIGEST = "endcap.schema_version", "endcap.schema_digest"
_KINDS = {"integer": "int32", "long": "int64", "float": "float32", "double": "float64", "boolean": "bool"}

_KEEP_LOG = {"delta.enableExpiredLogCleanup": "false"}
"""The log is never cut: a version whose log entry is gone cannot be read, though a manifest may name it. A commit of
one day is a few kilobytes, and a checkpoint every 100 commits keeps opening a table quick."""
_HOOKS = PostCommitHookProperties(cleanup_expired_logs=False)
"""The same for tables that were made without that property."""


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
        self._versions: Mapping[str, int] | None = None

    def at(self, versions: Mapping[str, int]) -> "DeltaTables":
        """Return these tables as they were; see the port."""
        past = copy(self)
        past._versions = dict(versions)  # noqa: SLF001 - its own
        return past

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
        folder = self.folder(table)
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
        return self._overwrite(table, partitions, rows, [] if fence is None else [fence])

    def rearrange(
        self, table: Table, partitions: Sequence[str], rows: pa.RecordBatchReader, *, fences: Sequence[Fence]
    ) -> int:
        """Write the same rows anew.

        As an overwrite and not with delta-rs' own optimize: an overwrite that meets another one fails instead of
        being tried again, the rows pass our engine, which knows their digest, and memory stays within its limit.
        """
        return self._overwrite(table, partitions, rows, fences)

    def file_sizes(self, table: Table) -> dict[str, list[int]]:
        """Return the bytes of each data file by partition."""
        opened = self._open(table)
        sizes: dict[str, list[int]] = {}
        if opened is not None:
            adds = pa.table(opened.get_add_actions(flatten=True))
            for path, size in zip(adds["path"].to_pylist(), adds["size_bytes"].to_pylist(), strict=True):
                partition = _partition_of(f"/{path}", table) if table.partition else ""
                sizes.setdefault(partition, []).append(size)
        return dict(sorted(sizes.items()))

    def versions(self, table: Table) -> dict[int, int]:
        """Return version -> when it was made."""
        opened = self._open(table)
        told = [] if opened is None else opened.history()
        return {int(each["version"]): int(each["timestamp"]) * 1000 for each in reversed(told)}

    def vacuum(self, table: Table, *, keep: Collection[int], dry_run: bool) -> list[str]:
        """Remove what no kept version names."""
        opened = self._open(table)
        if opened is None:
            return []
        kept = sorted({*keep, opened.version()} & set(self.versions(table)))
        last = opened.history(1)[0]
        noted = {key: str(last[key]) for key in (_SCHEMA_VERSION, _SCHEMA_DIGEST) if key in last}

        def go(*, is_rehearsal: bool) -> list[str]:
            return opened.vacuum(
                SAFETY_HOURS,
                dry_run=is_rehearsal,
                enforce_retention_duration=False,
                full=True,  # else what a dead writer left is not looked for
                keep_versions=kept,
                commit_properties=CommitProperties(custom_metadata=noted),
                post_commithook_properties=_HOOKS,
            )

        # Told again are files that went before: their removal stays in the log.
        with self._told():
            told = go(is_rehearsal=True)
            found = listed(files_below(self.folder(table), self._options), "") if told else []
        there = {unquote(path) for path, _ in found}
        going = sorted(each for each in told if unquote(each) in there)
        if going and not dry_run:  # where nothing goes, no commit is made
            go(is_rehearsal=False)
        return going

    def _overwrite(
        self, table: Table, partitions: Sequence[str], rows: pa.RecordBatchReader, fences: Sequence[Fence]
    ) -> int:
        opened = self._open(table)
        if opened is not None:
            for fence in fences:
                _check_fence(opened, fence)
        predicate = None
        is_other = opened is not None and self._is_of_another_contract(table, opened, partitions)
        if opened is not None and table.partition:
            predicate = f"{table.partition} IN ({', '.join(repr(each) for each in sorted(partitions))})"
        try:
            write_deltalake(  # type: ignore[call-overload,misc] # each mode has its own
                opened if opened is not None else self.folder(table),
                rows,
                # A table that came up since we looked is another writer's: its fence was not checked.
                mode="overwrite" if opened is not None else "error",
                partition_by=[table.partition] if table.partition else None,
                predicate=predicate,
                # delta-rs keeps what the predicate spares, and its "merge" does not widen a type.
                schema_mode="overwrite" if is_other else None,
                commit_properties=_properties(table, fences, is_new=opened is None),
                post_commithook_properties=_HOOKS,
                configuration=_KEEP_LOG if opened is None else None,
                writer_properties=WriterProperties(compression="ZSTD", compression_level=1),
                storage_options=self._options if opened is None else None,
            )
        except (OSError, DeltaError) as error:
            is_there = opened is None and isinstance(error, DeltaError) and self.version(table) >= 0
            if not isinstance(error, CommitFailedError) and not is_there:
                if self._options is None or not is_of_a_store(error):
                    raise
                raise storage_error(error, where=f"{self._root}/{table.name}") from error
            raise LedgerError(
                f"another writer changed {table.name} while it was being written, nothing was written: {error}",
                where=f"table {table.name}, {len(partitions)} partitions",
                fix="run the command again; if it happens often, look who else writes with `endcap show runs`",
                code=Code.COMMIT_CONFLICT,
            ) from error
        return self.version(table)

    def folder(self, table: Table) -> str:
        """Return the folder below which the table's data files lie."""
        return f"{self._root}/{table.name}"

    def written(self, table: Table, attempt: str) -> list[DataFile]:
        """Return the data files that an attempt has written; see the port."""
        with self._told():
            return written_files(files_below(self.folder(table), self._options), table, attempt)

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

        def check(opened: DeltaTable) -> None:
            if fence is not None:
                _check_fence(opened, fence)
            self._is_of_another_contract(table, opened, partitions)

        bridge = Bridge(
            self.folder(table), table, check, _properties(table, [fence] if fence else [], is_new=True), self._options
        )
        with self._told():
            return bridge.adopt(partitions, files, read_version=read_version)

    def clean(self, table: Table, *, fence: Fence, living: Collection[str] = ()) -> list[str]:
        """Remove the files of attempts that died before their commit; see the port."""

        def check(opened: DeltaTable) -> None:
            _check_fence(opened, fence)

        bridge = Bridge(self.folder(table), table, check, _properties(table, [fence], is_new=True), self._options)
        with self._told():
            return bridge.clean(fence, living)

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
        path = self.folder(table)
        if self._versions is None:
            with self._told():
                is_there = DeltaTable.is_deltatable(path, self._options)
                return DeltaTable(path, storage_options=self._options) if is_there else None
        version = self._versions.get(table.name, -1)
        if version < 0:
            return None
        try:
            opened = DeltaTable(path, version=version, storage_options=self._options)
        except (TableNotFoundError, DeltaError, OSError) as error:
            if self._options is not None and is_of_a_store(error) and not isinstance(error, TableNotFoundError):
                raise storage_error(error, where=self._root) from error
            if isinstance(error, OSError):
                raise
            raise _gone(table, version) from error
        if gone := [uri for uri in opened.file_uris() if "://" not in uri and not Path(uri).exists()]:
            raise _gone(table, version, f"; {len(gone):,} of its files are gone")
        return opened

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell what goes wrong with an object store as ours; a folder's errors name their file already."""
        try:
            yield
        except (OSError, DeltaError) as error:
            if self._options is None:
                raise
            raise storage_error(error, where=self._root) from error


def _gone(table: Table, version: int, more: str = "") -> StoreError:
    return StoreError(
        f"version {version} of {table.name} is no longer there: it was tidied away or erased{more}",
        where=f"table {table.name}",
        fix="nothing brings it back: go on with what is there now",
        code=Code.VERSION_GONE,
    )


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


def _properties(table: Table, fences: Sequence[Fence], *, is_new: bool) -> CommitProperties:
    told = {_SCHEMA_VERSION: str(table.version), _SCHEMA_DIGEST: table.digest}
    transactions = [Transaction(app_id=fence.name, version=fence.token) for fence in fences] or None
    # A second writer of version 0 must fail: tried again as version 1, it would leave the rows of both.
    retries = 0 if is_new else None
    return CommitProperties(custom_metadata=told, app_transactions=transactions, max_commit_retries=retries)
