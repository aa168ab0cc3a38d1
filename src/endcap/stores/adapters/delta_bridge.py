"""The bridge from a cluster to Delta: its executors write Parquet files, one process commits them with delta-rs.

A commit is tried on exactly the version that was looked at (no retries inside delta-rs, which does not see rows that
were appended to a partition meanwhile); if another commit came first, everything is looked at again. See ADR 11.
"""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, create_table_with_add_actions
from pyarrow import fs

from endcap.core.contract import Table
from endcap.core.data_file import DataFile
from endcap.core.errors import Code, DataError, LedgerError
from endcap.stores.adapters.parquet_files import files_below, listed
from endcap.stores.tables import Fence

__all__ = ["Bridge"]

_TRIES = 50  # each lost try means that another writer's commit went through


@dataclass(frozen=True)
class Bridge:
    """Commits to one Delta table what others have written below its folder.

    Args:
        folder: The table's folder or URL.
        table: Its contract.
        check: Refuses a version of the table on which this writer must not write, by raising.
        told: What the commit tells.
        options: How delta-rs reaches the URL.
    """

    folder: str
    table: Table
    check: Callable[[DeltaTable], None]
    told: CommitProperties
    options: dict[str, str] | None = None

    def __post_init__(self) -> None:
        self.told.max_commit_retries = 0

    def adopt(self, partitions: Sequence[str], files: Sequence[DataFile], *, read_version: int) -> int:
        """Put files in the place of whole partitions, in one commit; see the port."""
        _check_partitions(self.table, partitions, files)
        adds = [_add_action(self.table, file) for file in files]
        wanted = {file.path for file in files}
        for _ in range(_TRIES):
            opened = self._open()
            if opened is not None:
                self.check(opened)
                found = self._paths(opened, partitions)
                if found == wanted:
                    return int(opened.version())
                self._check_unchanged(found, partitions, read_version)
            elif read_version >= 0:
                raise _changed(self.table, f"version {read_version} was read, and the table is gone")
            self._check_there(files)
            try:
                return self._commit(opened, partitions, adds)
            except CommitFailedError:
                continue
            except DeltaError:
                if opened is None and self._open() is not None:
                    continue
                raise
        raise _changed(self.table, f"other writers were faster {_TRIES} times")

    def clean(self, fence: Fence, living: Collection[str]) -> list[str]:
        """Remove the files of attempts that died before their commit; see the port."""
        opened = self._open()
        if opened is None:  # nothing here could stop a dead attempt from making the table of files that are gone
            return []
        self.check(opened)
        below = files_below(self.folder, self.options)
        if not _orphans(below, self._paths(opened, None), living):
            return []
        self._put(fence)
        dead = sorted(_orphans(below, _named_in_log(below), living))
        for path in dead:
            below.delete_file(path)
        if "://" not in self.folder:
            _prune(below, {path.split("/", 1)[0] for path in dead})
        return dead

    def _open(self) -> DeltaTable | None:
        if not DeltaTable.is_deltatable(self.folder, self.options):
            return None
        return DeltaTable(self.folder, storage_options=self.options)

    def _paths(self, opened: DeltaTable, partitions: Sequence[str] | None) -> set[str]:
        """Return the files of a version, of all partitions or of those named, relative to the table's folder."""
        paths = {unquote(path) for path in pa.table(opened.get_add_actions())["path"].to_pylist()}
        if partitions is None or not self.table.partition:
            return paths
        wanted = set(partitions)
        return {path for path in paths if path.split(f"{self.table.partition}=", 1)[1].split("/", 1)[0] in wanted}

    def _check_unchanged(self, found: set[str], partitions: Sequence[str], read_version: int) -> None:
        """Refuse to replace what is not what the writer has read."""
        before: set[str] = set()
        if read_version >= 0:
            opened = DeltaTable(self.folder, version=read_version, storage_options=self.options)
            before = self._paths(opened, partitions)
        if before != found:
            raise _changed(
                self.table,
                f"since version {read_version} was read, {len(before - found)} of its files were taken out of "
                f"{len(partitions)} partitions and {len(found - before)} were put in",
            )

    def _check_there(self, files: Sequence[DataFile]) -> None:
        """Refuse files that are not there in full: a version that names a missing file cannot be read."""
        below = files_below(self.folder, self.options)
        attempts = {file.path.split("/", 1)[0] for file in files}
        there = {path: size for attempt in sorted(attempts) for path, size in listed(below, attempt)}
        if lost := sorted(file.path for file in files if there.get(file.path) != file.size):
            raise _changed(self.table, f"{len(lost)} of {len(files)} files to adopt are gone or torn, {lost[0]} first")

    def _commit(self, opened: DeltaTable | None, partitions: Sequence[str], adds: list[AddAction]) -> int:
        """Commit on exactly the version opened; return the new version."""
        by = [self.table.partition] if self.table.partition else None
        schema = Schema.from_arrow(_arrow_schema(self.table))
        if opened is None:
            create_table_with_add_actions(
                self.folder,
                schema,
                adds,
                partition_by=by,
                storage_options=self.options,
                commit_properties=self.told,
            )
            return 0
        # "overwrite" takes out the files of the handle's own version, and sets the schema in the same commit.
        where = [(self.table.partition, "in", sorted(partitions))] if by else None
        opened.create_write_transaction([*adds], "overwrite", schema, by, where, commit_properties=self.told)
        return int(opened.version()) + 1

    def _put(self, fence: Fence) -> None:
        """See to it that the log has the fence's token, by a commit without files if it has an older one."""
        for _ in range(_TRIES):
            opened = self._open()
            if opened is None:
                return
            self.check(opened)
            if opened.transaction_version(fence.name) == fence.token:
                return
            try:
                by = [self.table.partition] if self.table.partition else None
                # It changes no row, so it tells the contract that the commit before it told.
                self.told.custom_metadata = {
                    key: value for key, value in opened.history(1)[0].items() if key.startswith("endcap.")
                }
                opened.create_write_transaction([], "append", opened.schema(), by, commit_properties=self.told)
            except CommitFailedError:
                continue
        raise _changed(self.table, f"other writers were faster {_TRIES} times")


def _arrow_schema(table: Table) -> pa.Schema:
    kinds = {
        "string": pa.string(),
        "bool": pa.bool_(),
        "list<string>": pa.list_(pa.string()),
        "list<int64>": pa.list_(pa.int64()),
        "list<float64>": pa.list_(pa.float64()),
    }
    types = {each.name: kinds.get(each.kind.value) or pa.type_for_alias(each.kind.value) for each in table.columns}
    return pa.schema([pa.field(name, kind) for name, kind in types.items()])


def _check_partitions(table: Table, partitions: Sequence[str], files: Sequence[DataFile]) -> None:
    if others := sorted({file.partition for file in files} - set(partitions if table.partition else [""])):
        raise DataError(
            f"files of {len(others)} partitions were written that are not to be replaced, {others[0]!r} among them",
            where=f"table {table.name}",
            fix="nothing was written; report this with the output of `endcap show runs`",
            code=Code.CONTRACT_BROKEN,
        )


def _add_action(table: Table, file: DataFile) -> AddAction:
    stats = {
        "numRecords": file.rows,
        "minValues": dict(file.least),
        "maxValues": dict(file.greatest),
        "nullCount": dict(file.nulls),
    }
    values = {table.partition: file.partition} if table.partition else {}
    # No clock of ours: only vacuum looks at it, for files that were taken out, and those have a time of their own.
    return AddAction(file.path, file.size, values, modification_time=0, data_change=True, stats=json.dumps(stats))


def _orphans(below: fs.FileSystem, named: Collection[str], living: Collection[str]) -> list[str]:
    """Return the files of attempts that are not named and not of a living attempt."""
    tops = below.get_file_info(fs.FileSelector("", allow_not_found=True))
    folders = [each.path for each in tops if each.type == fs.FileType.Directory and each.path.startswith("attempt-")]
    alive = {f"attempt-{each}" for each in living}
    found = [path for folder in folders if folder not in alive for path, _ in listed(below, folder)]
    return [path for path in found if path not in named]


def _named_in_log(below: fs.FileSystem) -> set[str]:
    """Return every file that a version in the log puts in or takes out: all of them can still be asked for."""
    named: set[str] = set()
    for path, _ in listed(below, "_delta_log"):
        if path.endswith(".json"):
            named.update(_named_in_commit(below.open_input_stream(path).read().splitlines()))
        elif ".checkpoint" in path and path.endswith(".parquet"):
            with below.open_input_file(path) as opened:
                part = pq.read_table(opened, columns=["add.path", "remove.path"]).flatten()
            named.update(unquote(each) for column in part.columns for each in column.to_pylist() if each is not None)
    return named


def _named_in_commit(lines: Iterable[bytes]) -> set[str]:
    actions = [json.loads(line) for line in lines if line.startswith((b'{"add"', b'{"remove"'))]
    return {unquote((action.get("add") or action["remove"])["path"]) for action in actions}


def _prune(below: fs.FileSystem, folders: Collection[str]) -> None:
    """Remove the folders that hold no file any more."""
    for folder in sorted(folders):
        if not listed(below, folder):
            below.delete_dir(folder)


def _changed(table: Table, what: str) -> LedgerError:
    return LedgerError(
        f"the table {table.name} is not what it was when this attempt began: {what}; nothing was written",
        where=f"table {table.name}",
        fix="run the command again: it starts from what is there now",
        code=Code.TABLE_CHANGED,
    )
