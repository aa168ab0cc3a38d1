"""One process of this machine at a time commits to a table: the others wait, and nothing that was computed is lost.

Two commits to one Delta table under one fence conflict even where their partitions differ (the fence is one application
id to delta-rs, 1.6 on 2026-11-27: of six at once one was kept). The lock is the system's: it goes with its process.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["alone"]


@contextmanager
def alone(scratch: Path, name: str) -> Iterator[None]:
    """Wait until no other process of this machine is within a block of this name.

    Args:
        scratch: Folder of the shop for what may be deleted when nothing runs.
        name: What is done alone.
    """
    place = scratch / "locks"
    place.mkdir(parents=True, exist_ok=True)
    with (place / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
