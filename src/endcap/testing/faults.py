"""Faults at store operations: the n-th of a name is killed before or after it, torn, finds no room, or is not answered.

Nothing of this is in what a shop runs; `forked` sets the scene.
"""

import fcntl
import os
import signal
import threading
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

__all__ = ["Fault", "FaultKind", "Operations", "kill"]


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


def kill() -> None:
    """End this process as the kernel does it when memory is out: at once, nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)
