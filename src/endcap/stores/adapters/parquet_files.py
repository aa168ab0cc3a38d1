"""The Parquet files below a table's folder, on a disk or in an object store: listed, and told by their footers."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq
from deltalake.fs import DeltaStorageHandler
from pyarrow import fs

from endcap.core.contract import Kind, Table
from endcap.core.data_file import DataFile

__all__ = ["files_below", "listed", "written_files"]

_NUMBERS = (Kind.INT32, Kind.INT64, Kind.FLOAT32, Kind.FLOAT64)
_AT_ONCE = 16  # footers read side by side: an object store answers each after tens of milliseconds


def files_below(folder: str, options: dict[str, str] | None = None) -> fs.FileSystem:
    """Return the files below a folder or URL, as delta-rs reaches them; paths are relative to it."""
    if "://" in folder:
        return fs.PyFileSystem(DeltaStorageHandler(folder, options))
    return fs.SubTreeFileSystem(folder, fs.LocalFileSystem())


def listed(below: fs.FileSystem, folder: str) -> list[tuple[str, int]]:
    """Return the files below a folder with their bytes."""
    found = below.get_file_info(fs.FileSelector(folder, recursive=True, allow_not_found=True))
    return [(each.path, each.size) for each in found if each.type == fs.FileType.File]


def written_files(below: fs.FileSystem, table: Table, attempt: str) -> list[DataFile]:
    """Return the data files of an attempt, by path; see `TableStore.written`."""
    paths = [(path, size) for path, size in listed(below, f"attempt-{attempt}") if not _is_in_progress(path)]

    def told(found: tuple[str, int]) -> DataFile:
        return _told_by_footer(below, table, *found)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [file for file in pool.map(told, sorted(paths)) if file.rows]


def _is_in_progress(path: str) -> bool:
    return any(part.startswith(("_", ".")) for part in path.split("/"))


def _told_by_footer(below: fs.FileSystem, table: Table, path: str, size: int) -> DataFile:
    with below.open_input_file(path) as opened:
        footer = pq.read_metadata(opened)
    places = {footer.schema.column(each).path: each for each in range(footer.num_columns)}
    # Strings are left out: a name in the log's statistics would outlive the deletion of its rows.
    numbers = {column.name: places[column.name] for column in table.columns
               if column.kind in _NUMBERS and column.name in places}  # fmt: skip
    least: dict[str, Any] = {}
    greatest: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for name, place in numbers.items():
        groups = [footer.row_group(each).column(place).statistics for each in range(footer.num_row_groups)]
        if all(each is not None and each.has_null_count for each in groups):
            nulls[name] = sum(each.null_count for each in groups)
        if all(each is not None and each.has_min_max for each in groups):
            _keep(least, name, min, [each.min for each in groups])
            _keep(greatest, name, max, [each.max for each in groups])
    partition = ""
    if table.partition:
        partition = unquote(path.split(f"/{table.partition}=", 1)[1].split("/", 1)[0])
    return DataFile(path, partition, size, footer.num_rows, least, greatest, nulls)


def _keep(into: dict[str, Any], name: str, choose: Callable[[list[Any]], Any], values: list[Any]) -> None:
    if values and all(math.isfinite(each) for each in values):
        into[name] = choose(values)
