"""Who holds a lease: a process, named so that another one can tell whether it still runs."""

import os
import socket
from pathlib import Path
from typing import Any

import psutil

__all__ = ["holder_of_this_process", "is_held", "told"]


def holder_of_this_process() -> str:
    """Name this process so that another one can tell whether it still runs: machine, boot, process and its start."""
    return f"{_machine()}|{os.getpid()}|{psutil.Process().create_time():.2f}"


def is_held(row: Any, now_us: int) -> bool:
    """Whether a row of the table `lease` has a holder that may write: its lease has not run out and it is not dead."""
    return row.holder is not None and row.expires_at_us > now_us and not _is_dead(row.holder)


def told(holder: str | None) -> str:
    """Return a holder as people read it.

    >>> told("shop-7|boot|123|1.00")
    'process 123 on shop-7'
    """
    host, _, pid, _ = str(holder or "nobody|||").split("|")
    return f"process {pid} on {host}"


def _is_dead(holder: str) -> bool:
    """Whether the holder is a process of this machine that no longer runs."""
    machine, pid, created = holder.rsplit("|", 2)
    if machine != _machine():
        return False
    try:
        return f"{psutil.Process(int(pid)).create_time():.2f}" != created
    except psutil.NoSuchProcess:
        return True


def _machine() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id")
    return f"{socket.gethostname()}|{boot.read_text().strip() if boot.exists() else int(psutil.boot_time())}"
