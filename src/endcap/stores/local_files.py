"""Files of this machine: replaced whole or not at all, locked, and room for them told before they are written."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from endcap.core.errors import Code, StoreError

__all__ = ["check_room", "disk_full", "is_disk_full", "locked", "sync_folder", "write_atomically"]

_SPARE = 64 * 1024 * 1024
"""Bytes that are left free: logs and the ledger need some."""


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file so that a reader, or a crash, sees the old content or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def sync_folder(folder: Path) -> None:
    """Make what was renamed in a folder outlive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock of this machine's processes for the length of the block; it goes with the process that holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def check_room(folder: Path, num_bytes: int, *, what: str, spare: int | None = None) -> None:
    """Refuse what does not fit on the disk of a folder before any of it is written.

    Args:
        folder: Where it will lie; the nearest folder that is there says which disk that is.
        num_bytes: What is to be written.
        what: What that is, as the beginning of a sentence.
        spare: Bytes that must be left free then, 64 MiB by default.

    Raises:
        StoreError: There is less room than that and what is to be left free (DISK_FULL).
    """
    free = shutil.disk_usage(next(each for each in (folder, *folder.parents) if each.is_dir())).free
    if free < num_bytes + (_SPARE if spare is None else spare):
        raise StoreError(
            f"{what} {num_bytes / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB of the disk are free",
            where=str(folder),
            fix="make room on that disk, then run the same command again: what is done stays done",
            code=Code.DISK_FULL,
        )


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, of whatever library, says that a disk or a quota is full."""
    number = getattr(error, "errno", None)
    words = ("No space left on device", "database or disk is full")
    return number in (errno.ENOSPC, errno.EDQUOT) or any(each in str(error) for each in words)


def disk_full(error: BaseException, *, where: str) -> StoreError:
    """Return the error of a full disk as ours."""
    return StoreError(
        "the disk is full (No space left on device); what was in force before stays in force",
        where=str(getattr(error, "filename", None) or where),
        fix="make room on that disk, then run the same command again: what is done stays done",
        code=Code.DISK_FULL,
    )
