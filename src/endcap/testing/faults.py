"""Faults at store operations: the n-th of a name is killed before or after it, torn, finds no room, or is not answered.

Nothing of this is in what a shop runs: a forked process wraps the classes of the stores (`fault_points`), reaches its
bucket through a proxy (`far_faults`), and has workers that were forked likewise (`spare_workers`). All of them count
operations in one file, so that a fault meets whichever of them comes first.
"""

import fcntl
import importlib
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

__all__ = ["Child", "Fault", "FaultKind", "Operations", "kill", "run_forked", "start_forked", "wait_forked"]

_LOADED_FIRST = (
    "cryptography.hazmat.primitives.ciphers.aead",
    "endcap.cli.main",
    "endcap.engines.adapters.duckdb",
    "endcap.flows.backfill",
    "endcap.flows.refresh",
    "endcap.flows.worker",
    "endcap.stores.adapters.bucket",
    "endcap.stores.adapters.cached",
    "endcap.stores.adapters.sealed_ids",
    "endcap.testing.fault_points",
    "endcap.testing.far_faults",
    "endcap.testing.spare_workers",
    "ibis.backends.duckdb",
    "pandas",
)
"""What a run imports late: loaded before the fork, so that no child pays for it (2 s each time)."""


class FaultKind(StrEnum):
    """What goes wrong. The last three are of a server: its answer is lost, it asks for patience, it is away."""

    KILL_BEFORE = "kill_before"
    KILL_AFTER = "kill_after"
    NO_SPACE = "no_space"
    TORN = "torn"
    PAUSE = "pause"
    ANSWER_LOST = "answer_lost"
    SLOW_DOWN = "slow_down"
    REFUSED = "refused"


@dataclass(frozen=True)
class Fault:
    """One fault.

    Args:
        kind: What goes wrong.
        name: At operations of which name; those of worker processes begin with `worker/`.
        number: At which of them, from 1.
    """

    kind: FaultKind
    name: str
    number: int = 1


class Operations:
    """Counts operations of several processes in one file, and does the fault when its turn has come.

    An operation inside another one of the same thread is not counted.

    Args:
        log: The file: one name a line, in order.
        fault: The fault; None for a run without one.
    """

    def __init__(self, log: Path, fault: Fault | None) -> None:
        self.who = ""
        self._fault = fault
        self._log = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        self._lock, self._here = threading.Lock(), threading.local()

    def count(self, name: str) -> FaultKind | None:
        """Count an operation; return the fault that shall meet it."""
        with self._lock:
            fcntl.lockf(self._log, fcntl.LOCK_EX)  # of processes: it goes with the one that holds it
            before = os.pread(self._log, os.fstat(self._log).st_size, 0).decode().split().count(name)
            os.write(self._log, f"{name}\n".encode())
            fcntl.lockf(self._log, fcntl.LOCK_UN)
        fault = self._fault
        return fault.kind if fault is not None and (name, before + 1) == (fault.name, fault.number) else None

    def begin(self, name: str) -> FaultKind | None:
        """Begin an operation of this process; return what shall happen in it."""
        self._here.depth = depth = getattr(self._here, "depth", 0) + 1
        kind = self.count(self.who + name) if depth == 1 else None
        if kind is FaultKind.KILL_BEFORE:
            kill()
        if kind is FaultKind.PAUSE:
            os.kill(os.getpid(), signal.SIGSTOP)
        return kind

    def end(self, kind: FaultKind | None = None) -> None:
        """End an operation, whether it went well or not; only one that did is killed after it."""
        self._here.depth -= 1
        if kind is FaultKind.KILL_AFTER:
            kill()


@dataclass(frozen=True)
class Child:
    """A forked process.

    Args:
        pid: Its number.
        pipe: Ends when it and all its workers have ended.
        log: Where they told their operations.
    """

    pid: int
    pipe: int
    log: Path


def run_forked(
    work: Callable[[], int], fault: Fault | None = None, *, far: str = "", workers: Sequence[str] = ()
) -> tuple[int, list[str]]:
    """Run some work in a forked process in which one store operation goes wrong.

    A fork of a process that has imported everything begins at once; it must have started no threads, so whoever calls
    this opens no flow before.

    Args:
        work: What it does; returns its exit code.
        fault: The fault; None for a run without one.
        far: Endpoint of the object store that it reaches by a proxy which can fail; "" for none.
        workers: Words of the command of a worker, where it uses any; see `spare_workers`.

    Returns:
        The exit code as a shell has it (-9 for a kill), and the names of the operations in order, as far as it came.
    """
    return wait_forked(start_forked(work, fault, far=far, workers=workers))


def start_forked(work: Callable[[], int], fault: Fault | None, *, far: str = "", workers: Sequence[str] = ()) -> Child:
    """Begin some work in a forked process; see `run_forked`."""
    for name in _LOADED_FIRST:
        importlib.import_module(name)
    handle, log = tempfile.mkstemp(prefix="endcap-operations-")
    os.close(handle)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            os.close(reading)
            code = _in_child(work, Operations(Path(log), fault), far, workers, writing)
        finally:  # a child never returns into its parent's code
            os._exit(code)
    os.close(writing)
    return Child(pid, reading, Path(log))


def wait_forked(child: Child) -> tuple[int, list[str]]:
    """Wait for a forked process and its workers; return its exit code and the operations they told."""
    with os.fdopen(child.pipe, "rb") as pipe:
        pipe.read()
    _, status = os.waitpid(child.pid, 0)
    told = child.log.read_text(encoding="ascii").split()
    child.log.unlink()
    return os.waitstatus_to_exitcode(status), told


def kill() -> None:
    """End this process as the kernel does it when memory is out: at once, nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


def _in_child(work: Callable[[], int], operations: Operations, far: str, workers: Sequence[str], alive: int) -> int:
    """Set the scene in a process without threads, then do the work."""
    from endcap.testing.far_faults import PROXY_VARIABLE, start_proxy  # noqa: PLC0415
    from endcap.testing.fault_points import wrap_stores  # noqa: PLC0415 - they import this file
    from endcap.testing.spare_workers import keep_spares  # noqa: PLC0415

    silent = os.open(os.environ.get("ENDCAP_FAULTS_TOLD", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    if far:
        os.environ[PROXY_VARIABLE] = start_proxy(far, operations, alive)
    wrap_stores(operations)
    if workers:
        keep_spares(workers, operations)
    return work()
