"""Faults at store operations: the n-th write of a refresh is killed before or after it, torn, or finds no room.

Nothing of this is in what a shop runs: the runner below wraps the classes of the stores in its own process, after the
imports and before the refresh. An operation is a write to the lake (a commit that replaces partitions), to the
catalog database (a transaction), or of a small file that is put in force at once (a manifest, `bundles/current`), or
the copying of a finished folder into its place (a model, an index, a bundle). An operation inside another one is not
counted.
"""

import errno
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa

from endcap.cli.main import main
from endcap.flows import shop
from endcap.flows.flow import Flow
from endcap.stores.catalog import Catalog

__all__ = [
    "Child",
    "Fault",
    "FaultKind",
    "count_operations",
    "refresh_with_fault",
    "run_forked",
    "start_forked",
    "wait_forked",
]

_LOADED_FIRST = (
    "cryptography.hazmat.primitives.ciphers.aead",
    "endcap.engines.adapters.duckdb",
    "endcap.flows.refresh",
    "endcap.stores.adapters.sealed_ids",
    "ibis.backends.duckdb",
    "pandas",
)
"""What a refresh imports late: loaded before the fork, so that no child pays for it (2 s each time)."""


class FaultKind(StrEnum):
    """What goes wrong."""

    KILL_BEFORE = "kill_before"
    KILL_AFTER = "kill_after"
    NO_SPACE = "no_space"
    TORN = "torn"
    PAUSE = "pause"


@dataclass(frozen=True)
class Fault:
    """One fault.

    Args:
        kind: What goes wrong.
        operation: At which operation of the run, from 1.
    """

    kind: FaultKind
    operation: int


def refresh_with_fault(shop: Path, fault: Fault | None) -> tuple[int, list[str]]:
    """Refresh a shop in a forked process in which one store operation goes wrong.

    Args:
        shop: The shop's folder.
        fault: The fault; None for a run without one.

    Returns:
        The exit code as a shell has it (-9 for a kill), and the names of the operations in order, as far as it came.
    """
    return run_forked(lambda: _main(["refresh", str(shop)]), fault)


def count_operations(shop: Path) -> list[str]:
    """Refresh a shop without a fault and return its store operations."""
    code, told = refresh_with_fault(shop, None)
    if code:
        raise RuntimeError(f"the undisturbed refresh ended with {code}")
    return told


def run_forked(work: Callable[[], int], fault: Fault | None) -> tuple[int, list[str]]:
    """Run some work in a forked process with the stores wrapped.

    A fork of a process that has imported everything begins at once; it must have started no threads, so whoever calls
    this opens no flow before.
    """
    return wait_forked(start_forked(work, fault))


@dataclass(frozen=True)
class Child:
    """A forked process.

    Args:
        pid: Its number.
        pipe: Where it tells its operations.
    """

    pid: int
    pipe: int


def start_forked(work: Callable[[], int], fault: Fault | None) -> Child:
    """Begin some work in a forked process with the stores wrapped; see `run_forked`."""
    for name in _LOADED_FIRST:
        importlib.import_module(name)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            os.close(reading)
            silent = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silent, 1)
            os.dup2(silent, 2)
            with _wrapped(_Plan(fault, writing)):
                code = work()
        finally:  # a child never returns into its parent's code
            os._exit(code)
    os.close(writing)
    return Child(pid, reading)


def wait_forked(child: Child) -> tuple[int, list[str]]:
    """Wait for a forked process; return its exit code and the operations it told."""
    with os.fdopen(child.pipe, encoding="ascii") as pipe:
        told = pipe.read().split()
    _, status = os.waitpid(child.pid, 0)
    return os.waitstatus_to_exitcode(status), told


def _main(words: list[str]) -> int:
    return main(words)


class _Plan:
    """Counts operations and does the fault when its turn has come."""

    def __init__(self, fault: Fault | None, pipe: int) -> None:
        self._fault, self._pipe = fault, pipe
        self._count, self._depth = 0, 0

    def begin(self, name: str) -> FaultKind | None:
        """Count an operation; return the fault that shall meet it."""
        self._depth += 1
        if self._depth > 1:
            return None
        self._count += 1
        os.write(self._pipe, f"{name}\n".encode())
        is_due = self._fault is not None and self._count == self._fault.operation
        kind = self._fault.kind if is_due and self._fault is not None else None
        if kind is FaultKind.KILL_BEFORE:
            kill()
        if kind is FaultKind.PAUSE:
            os.kill(os.getpid(), signal.SIGSTOP)
        return kind

    def end(self, kind: FaultKind | None) -> None:
        """Note that an operation is over."""
        self._depth -= 1
        if kind is FaultKind.KILL_AFTER:
            kill()


def kill() -> None:
    """End this process as the kernel does it when memory is out: at once, nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


def _no_space(place: object) -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(place))


@contextmanager
def _wrapped(plan: _Plan) -> Iterator[None]:
    """Wrap the stores' writes of this process."""
    Flow.__init__ = _opening(plan, Flow.__init__)  # type: ignore[method-assign]
    Catalog.begin = _transaction(plan, Catalog.begin)  # type: ignore[method-assign]
    small = _small_file(plan, shop.write_atomically)
    for name, module in list(sys.modules.items()):
        if name.startswith("endcap.") and getattr(module, "write_atomically", None) is not None:
            module.write_atomically = small  # type: ignore[attr-defined]
    Path.rename = _rename(plan, Path.rename)  # type: ignore[assignment, method-assign]
    yield


def _opening(plan: _Plan, opened: Callable[..., None]) -> Callable[..., None]:
    """Wrap whatever table store a flow is given: where the lake lies makes no difference."""

    def wrapped(self: Flow, *args: Any, **named: Any) -> None:
        opened(self, *args, **named)
        self.tables.replace = _table_write(plan, self.tables.replace)  # type: ignore[method-assign]

    return wrapped


def _table_write(plan: _Plan, write: Callable[..., int]) -> Callable[..., int]:
    def wrapped(table: Any, partitions: Any, rows: pa.RecordBatchReader, **more: Any) -> int:
        kind = plan.begin(f"table/{table.name}")
        if kind in {FaultKind.NO_SPACE, FaultKind.TORN}:
            rows = _failing(rows, kind, table.name)
        version = write(table, partitions, rows, **more)
        if kind is FaultKind.TORN:
            kill()
        plan.end(kind)
        return version

    return wrapped


def _failing(rows: pa.RecordBatchReader, kind: FaultKind, name: str) -> pa.RecordBatchReader:
    """Hand out half of the rows; then the disk is full, or the process dies while a file is open."""
    schema, whole = rows.schema, rows.read_all()

    def halves() -> Iterator[pa.RecordBatch]:
        yield from whole.slice(0, whole.num_rows // 2).to_batches()
        if kind is FaultKind.TORN:
            kill()
        raise _no_space(f"table {name}")

    return pa.RecordBatchReader.from_batches(schema, halves())


def _transaction(plan: _Plan, begin: Callable[..., Any]) -> Callable[..., Any]:
    @contextmanager
    def wrapped(self: Any) -> Iterator[Any]:
        if threading.current_thread() is not threading.main_thread():  # a heartbeat comes when it likes
            with begin(self) as connection:
                yield connection
            return
        with begin(self) as connection:
            changes = connection.connection.total_changes if self.url.startswith("sqlite") else 0
            yield connection
            is_write = not self.url.startswith("sqlite") or connection.connection.total_changes > changes
            kind = plan.begin("catalog") if is_write else None
            if kind is FaultKind.NO_SPACE:
                raise _no_space("catalog")
            if kind is FaultKind.TORN:  # rows are written and the commit is not
                kill()
        if is_write:
            plan.end(kind)

    return wrapped


def _small_file(plan: _Plan, write: Callable[[Path, bytes], None]) -> Callable[[Path, bytes], None]:
    def wrapped(path: Path, content: bytes) -> None:
        kind = plan.begin(f"file/{path.parent.name}")
        if kind in {FaultKind.NO_SPACE, FaultKind.TORN}:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_name(f".{path.name}.{os.getpid()}").write_bytes(content[: len(content) // 2])
            if kind is FaultKind.TORN:
                kill()
            raise _no_space(path)
        write(path, content)
        plan.end(kind)

    return wrapped


def _rename(plan: _Plan, rename: Callable[..., Path]) -> Callable[..., Path]:
    def wrapped(self: Path, target: Any) -> Path:
        kind = plan.begin(f"folder/{Path(target).parent.name}" if self.is_dir() else "rename")
        if kind is FaultKind.NO_SPACE:
            raise _no_space(target)
        if kind is FaultKind.TORN:
            torn = next((file for file in sorted(self.rglob("*")) if file.is_file()), self if self.is_file() else None)
            if torn is not None:
                os.truncate(torn, torn.stat().st_size // 2)
            kill()
        put = rename(self, target)
        plan.end(kind)
        return put

    return wrapped
