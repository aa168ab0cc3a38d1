"""Files and folders that are there whole or not at all."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["remove_whole", "whole_file", "write_parquet"]


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; it takes its place when the block ends well."""
    part = path.with_name(f".{path.name}.part")
    yield part
    part.replace(path)


def remove_whole(folder: Path) -> None:
    """Remove a folder that may be missing; a removal that is cut short leaves `.NAME.gone` and never half of `NAME`."""
    gone = folder.with_name(f".{folder.name}.gone")
    if gone.exists():
        shutil.rmtree(gone)
    if folder.exists():
        folder.replace(gone)
        shutil.rmtree(gone)


def write_parquet(path: Path, tables: Sequence[pa.Table]) -> None:
    """Write tables of one schema as the row groups of one file, with the same bytes for the same tables."""
    # Dictionaries are a way to build the words, not a type that a reader should see.
    with (
        whole_file(path) as part,
        pq.ParquetWriter(part, tables[0].schema, compression="zstd", store_schema=False) as file,
    ):
        for table in tables:
            if table.num_rows or table is tables[0]:
                file.write_table(table, row_group_size=max(table.num_rows, 1))
