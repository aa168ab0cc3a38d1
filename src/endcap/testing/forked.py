"""Processes that were forked, with faults in their stores: they begin at once, and their parent stays as it is.

A forked process wraps the classes of the stores (`fault_points`), reaches its bucket through a proxy (`far_faults`),
and has workers that were forked likewise (`spare_workers`). All of them count operations in one file, so that a fault
meets whichever of them comes first.
"""

import importlib
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from endcap.testing.far_faults import PROXY_VARIABLE, start_proxy
from endcap.testing.fault_points import wrap_stores
from endcap.testing.faults import Fault, Operations
from endcap.testing.spare_workers import keep_spares

__all__ = ["Child", "run_forked", "start_forked", "wait_forked"]

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
    "ibis.backends.duckdb",
    "pandas",
)
"""What a run imports late: loaded before the fork, so that no child pays for it (2 s each time)."""

_TOLD_VARIABLE = "ENDCAP_FAULTS_TOLD"
"""Environment variable that names a file for what forked processes print; it is thrown away by default."""


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


def _in_child(work: Callable[[], int], operations: Operations, far: str, workers: Sequence[str], alive: int) -> int:
    """Set the scene in a process without threads, then do the work."""
    silent = os.open(os.environ.get(_TOLD_VARIABLE, os.devnull), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    if far:
        os.environ[PROXY_VARIABLE] = start_proxy(far, operations, alive)
    wrap_stores(operations)
    if workers:
        keep_spares(workers, operations)
    return work()
