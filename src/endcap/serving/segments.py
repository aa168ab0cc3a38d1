"""Segments: append-only files of lines that are renamed when they are whole, and what becomes of a dead process's.

A segment being written is `<began, microseconds>-<process>-<number>.jsonl.open`, and its process holds a lock on it; a
whole one ends in `.jsonl`. The lock falls with the process, so whoever finds an unlocked one may close it.
"""

import fcntl
import os
from pathlib import Path

import structlog

from endcap.core.clock import Clock
from endcap.core.errors import Code, StoreError

__all__ = ["SegmentWriter", "adopt"]

_log = structlog.get_logger()

_OPEN = ".open"
_BLOCK = 65_536


class SegmentWriter:
    """Appends lines to a segment of its own, one after another. For one thread at a time.

    Args:
        folder: Where segments lie; made if it is not there.
        clock: Names segments and tells their age.
        max_bytes: Size at which a segment is closed.
        max_age_us: Age at which a segment is closed, microseconds.
    """

    def __init__(self, folder: Path, *, clock: Clock, max_bytes: int, max_age_us: int) -> None:
        self._folder = folder
        self._clock = clock
        self._max_bytes = max_bytes
        self._max_age_us = max_age_us
        self._handle = -1
        self._path = folder
        self._began_us = 0
        self._size = 0
        self._num_started = 0

    def append(self, lines: bytes, *, sync: bool) -> None:
        """Write whole lines.

        Args:
            lines: One or more lines, each with its end.
            sync: Whether they are on disk when this returns.

        Raises:
            StoreError: They could not be written. None of them stays in the segment (LOG_UNUSABLE).
        """
        try:
            if self._handle < 0:
                self._start()
            _write(self._handle, lines)
            if sync:
                os.fdatasync(self._handle)
        except OSError as error:
            self._undo()
            raise _unusable(error, self._folder) from error
        self._size += len(lines)
        if self._size >= self._max_bytes:
            self.close()

    def close_if_old(self) -> None:
        """Close the segment if it has its age, so that ingest sees it."""
        if self._handle >= 0 and self._clock() - self._began_us >= self._max_age_us:
            self.close()

    def close(self) -> None:
        """Put the segment on disk and name it as whole; the next line starts another."""
        if self._handle < 0:
            return
        handle, self._handle, self._size = self._handle, -1, 0
        try:
            _finish(handle, self._path)
        except OSError as error:  # it stays open on disk and is adopted later
            _log.warning("segment.not_closed", segment=self._path.name, error=str(error))
        finally:
            os.close(handle)

    def _start(self) -> None:
        """Make a segment under a name that no segment had, lock it, and have its name on disk."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            self._began_us = self._clock()
            self._num_started += 1
            name = f"{self._began_us:016d}-{os.getpid()}-{self._num_started}.jsonl"
            self._path = self._folder / (name + _OPEN)
            if (self._folder / name).exists():
                continue
            try:
                handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            except FileExistsError:
                continue
            fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_at(handle, self._path):  # else a sibling took it for a dead one's before it was locked
                break
            os.close(handle)
        try:
            _sync_folder(self._folder)
        except OSError:
            os.close(handle)  # the name may not outlive the machine; the empty segment is left to be adopted
            raise
        self._handle = handle

    def _undo(self) -> None:
        """Cut off lines that were not written whole; a segment that cannot even be cut is left to be adopted."""
        if self._handle < 0:
            return
        try:
            os.ftruncate(self._handle, self._size)
        except OSError:
            os.close(self._handle)
            self._handle, self._size = -1, 0


def adopt(folder: Path) -> int:
    """Close the segments of dead processes. A torn last line is cut off: it was not acknowledged.

    One that cannot be closed is told in the log and left for the next time.

    Args:
        folder: Where segments lie.

    Returns:
        How many were closed or, being empty, removed.
    """
    num_adopted = 0
    for path in sorted(folder.glob(f"*.jsonl{_OPEN}")):
        try:
            num_adopted += _adopt_one(path)
        except FileNotFoundError:  # somebody else adopted it
            continue
        except OSError as error:
            _log.warning("segment.not_adopted", segment=path.name, error=error.strerror or str(error))
    return num_adopted


def _adopt_one(path: Path) -> bool:
    handle = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_at(handle, path):
            return False
        size = os.fstat(handle).st_size
        whole = _whole_lines(handle, size)
        if whole < size:
            os.ftruncate(handle, whole)
        if whole:
            _finish(handle, path)
        else:
            path.unlink()
        _log.info("segment.adopted", segment=path.name, bytes=whole, cut=size - whole)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(handle)


def _whole_lines(handle: int, size: int) -> int:
    """Return the length of a file up to its last line end."""
    end = size
    while end:
        start = max(0, end - _BLOCK)
        at = os.pread(handle, end - start, start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        end = start
    return 0


def _finish(handle: int, path: Path) -> None:
    os.fdatasync(handle)
    path.rename(path.with_name(path.name.removesuffix(_OPEN)))
    _sync_folder(path.parent)


def _write(handle: int, lines: bytes) -> None:
    rest = memoryview(lines)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _is_at(handle: int, path: Path) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.fstat(handle).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unusable(error: OSError, folder: Path) -> StoreError:
    return StoreError(
        f"the log cannot be written: {error.strerror or error}",
        where=str(folder),
        fix="make room on disk and look at the folder's owner, then send the request again",
        code=Code.LOG_UNUSABLE,
    )
