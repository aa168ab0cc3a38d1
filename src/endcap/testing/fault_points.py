"""Where a fault can meet a process: its stores' writes, wrapped after the imports and before the work.

An operation is a write to the lake (a commit that replaces partitions), to the catalog database (a transaction), of a
small file that is put in force at once (a manifest, `bundles/current`), of a copy into the cache of a bucket, or the
copying of a finished folder into its place (a model, an index, a bundle).
"""

import errno
import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from endcap.flows import shop
from endcap.flows.flow import Flow
from endcap.stores.cache import LocalCache
from endcap.stores.catalog import Catalog
from endcap.testing.faults import FaultKind, Operations, kill

__all__ = ["wrap_stores"]

_HALF = {FaultKind.NO_SPACE, FaultKind.TORN}


def wrap_stores(operations: Operations) -> None:
    """Wrap the stores' writes of this process, for as long as it lives."""
    Flow.__init__ = _opening(operations, Flow.__init__)  # type: ignore[method-assign]
    Catalog.begin = _transaction(operations, Catalog.begin)  # type: ignore[method-assign]
    LocalCache.__init__ = _cache(operations, LocalCache.__init__)  # type: ignore[method-assign]
    small = _small_file(operations, shop.write_atomically)
    for name, module in list(sys.modules.items()):
        if name.startswith("endcap.") and getattr(module, "write_atomically", None) is not None:
            module.write_atomically = small  # type: ignore[attr-defined]
    Path.rename = _rename(operations, Path.rename)  # type: ignore[assignment, method-assign]


def _no_space(place: object) -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(place))


def _opening(operations: Operations, opened: Callable[..., None]) -> Callable[..., None]:
    """Wrap whatever table store a flow is given: where the lake lies makes no difference."""

    def wrapped(self: Flow, *args: Any, **named: Any) -> None:
        opened(self, *args, **named)
        self.tables.replace = _table_write(operations, self.tables.replace)  # type: ignore[method-assign]

    return wrapped


def _table_write(operations: Operations, write: Callable[..., int]) -> Callable[..., int]:
    def wrapped(table: Any, partitions: Any, rows: pa.RecordBatchReader, **more: Any) -> int:
        with _operation(operations, f"table/{table.name}") as kind:
            if kind in _HALF:
                rows = _failing(rows, kind, table.name)
            version = write(table, partitions, rows, **more)
            if kind is FaultKind.TORN:
                kill()
            return version

    return wrapped


@contextmanager
def _operation(operations: Operations, name: str) -> Iterator[FaultKind | None]:
    kind = operations.begin(name)
    try:
        yield kind
    except BaseException:
        operations.end()
        raise
    operations.end(kind)


def _failing(rows: pa.RecordBatchReader, kind: FaultKind | None, name: str) -> pa.RecordBatchReader:
    """Hand out half of the rows; then the disk is full, or the process dies while a file is open."""
    schema, whole = rows.schema, rows.read_all()

    def halves() -> Iterator[pa.RecordBatch]:
        yield from whole.slice(0, whole.num_rows // 2).to_batches()
        if kind is FaultKind.TORN:
            kill()
        raise _no_space(f"table {name}")

    return pa.RecordBatchReader.from_batches(schema, halves())


def _transaction(operations: Operations, begin: Callable[..., Any]) -> Callable[..., Any]:
    @contextmanager
    def wrapped(self: Any) -> Iterator[Any]:
        if threading.current_thread() is not threading.main_thread():  # a heartbeat comes when it likes
            with begin(self) as connection:
                yield connection
            return
        kind: FaultKind | None = None
        is_write = False
        try:
            with begin(self) as connection:
                changes = connection.connection.total_changes if self.url.startswith("sqlite") else 0
                yield connection
                is_write = not self.url.startswith("sqlite") or connection.connection.total_changes > changes
                kind = operations.begin("catalog") if is_write else None
                _within(kind)
        except BaseException:
            if is_write:
                operations.end()
            raise
        if is_write:
            operations.end(kind)
            if kind is FaultKind.ANSWER_LOST:  # as a server is lost that has committed
                lost = ConnectionError("the server closed the connection")
                raise sa.exc.OperationalError("COMMIT", {}, lost)

    return wrapped


def _within(kind: FaultKind | None) -> None:
    """Let a transaction fail when its rows are written and the commit is not."""
    if kind is FaultKind.NO_SPACE:
        full = sqlite3.OperationalError("database or disk is full")
        raise sa.exc.OperationalError("INSERT", {}, full)
    if kind is FaultKind.TORN:
        kill()


def _cache(operations: Operations, opened: Callable[..., None]) -> Callable[..., None]:
    """Wrap the fetching of copies: in threads, so that the process dies while others are under way."""

    def wrapped(self: LocalCache, *args: Any, **named: Any) -> None:
        opened(self, *args, **named)
        fetch = self._fetch

        def fetched(key: str, path: Path) -> None:
            with _operation(operations, "cache") as kind:
                fetch(key, path)
                if kind in _HALF:
                    os.truncate(path, path.stat().st_size // 2)
                    if kind is FaultKind.TORN:
                        kill()
                    raise _no_space(path)

        self._fetch = fetched

    return wrapped


def _small_file(operations: Operations, write: Callable[[Path, bytes], None]) -> Callable[[Path, bytes], None]:
    def wrapped(path: Path, content: bytes) -> None:
        with _operation(operations, f"file/{path.parent.name}") as kind:
            if kind in _HALF:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.with_name(f".{path.name}.{os.getpid()}").write_bytes(content[: len(content) // 2])
                if kind is FaultKind.TORN:
                    kill()
                raise _no_space(path)
            write(path, content)

    return wrapped


def _rename(operations: Operations, rename: Callable[..., Path]) -> Callable[..., Path]:
    def wrapped(self: Path, target: Any) -> Path:
        name = f"folder/{Path(target).parent.name}" if self.is_dir() else "rename"
        with _operation(operations, name) as kind:
            if kind is FaultKind.NO_SPACE:
                raise _no_space(target)
            if kind is FaultKind.TORN:
                files = (file for file in sorted(self.rglob("*")) if file.is_file())
                torn = next(files, self if self.is_file() else None)
                if torn is not None:
                    os.truncate(torn, torn.stat().st_size // 2)
                kill()
            return rename(self, target)

    return wrapped
