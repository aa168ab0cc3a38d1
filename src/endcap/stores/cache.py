"""Copies of objects that never change, in a folder of this machine that several processes share.

A copy comes under another name and is renamed when it is whole, so a kill leaves nothing half. What a process has been
given is pinned until it ends: its pins lie in a file that it keeps locked, and a lock goes with its process.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from endcap.core.errors import Code, StoreError
from endcap.stores.local_files import check_room, disk_full, is_disk_full, locked

__all__ = ["LocalCache"]

_AT_ONCE = 8


class LocalCache:
    """A cache of immutable objects.

    Args:
        folder: Where copies lie (`files/`), with what keeps processes from each other; made when needed.
        limit_bytes: How much the copies may take; more where running processes were given more.
        fetch: Writes the object of a key to a path.
    """

    def __init__(self, folder: Path, *, limit_bytes: int, fetch: Callable[[str, Path], None]) -> None:
        self._folder = folder
        self._files = folder / "files"
        self._limit = limit_bytes
        self._fetch = fetch
        self._pinned: set[str] = set()
        self._pins: int | None = None
        self._coming: Path = folder

    def bring(self, wanted: Mapping[str, int]) -> list[Path]:
        """Have copies of objects here until this cache is closed.

        Args:
            wanted: Key -> bytes.

        Returns:
            Their paths, in the order of the keys given.

        Raises:
            StoreError: The store fails, see `fetch`; what came does not have its size (STORAGE_UNREACHABLE); or the
                disk has no room (DISK_FULL).
        """
        with locked(self._folder / "lock"):
            self._pin(wanted)
            missing = [key for key, size in wanted.items() if not self._is_there(key, size)]
            if missing:
                self._make_room(sum(wanted[key] for key in missing))
        if missing:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                list(pool.map(lambda key: self._bring(key, wanted[key]), missing))
        return [self._files / key for key in wanted]

    def drop(self, keys: Iterable[str]) -> None:
        """Remove the copies of objects that are gone; what a running process uses stays until it is crowded out."""
        with locked(self._folder / "lock"):
            used = self._pins_of_others() | self._pinned
            for key in keys:
                if key not in used:
                    (self._files / key).unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of all that was pinned."""
        if self._pins is not None:
            shutil.rmtree(self._coming, ignore_errors=True)
            with locked(self._folder / "lock"):
                os.close(self._pins)
            self._pins = None
            self._pinned.clear()

    def _pin(self, keys: Iterable[str]) -> None:
        """Note keys as in use by this process, under the lock."""
        if self._pins is None:
            (self._folder / "pins").mkdir(parents=True, exist_ok=True)
            path, self._pins = _new_file(self._folder / "pins")
            fcntl.flock(self._pins, fcntl.LOCK_EX)
            self._coming = self._folder / "coming" / path.name
        new = [key for key in keys if key not in self._pinned]
        os.write(self._pins, "".join(f"{key}\n" for key in new).encode())
        self._pinned.update(new)

    def _is_there(self, key: str, size: int) -> bool:
        path = self._files / key
        try:
            is_whole = path.stat().st_size == size
        except FileNotFoundError:
            return False
        if is_whole:
            os.utime(path)  # used just now
        return is_whole

    def _bring(self, key: str, size: int) -> None:
        beside, path = self._coming / key, self._files / key
        try:
            beside.parent.mkdir(parents=True, exist_ok=True)
            self._fetch(key, beside)
            if beside.stat().st_size != size:
                raise StoreError(
                    f"an object has {size:,} bytes, and {beside.stat().st_size:,} came",
                    where=key,
                    fix="run the same command again",
                    code=Code.STORAGE_UNREACHABLE,
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.replace(path)
        except OSError as error:
            if is_disk_full(error):
                raise disk_full(error, where=str(self._folder)) from error
            raise

    def _make_room(self, num_bytes: int) -> None:
        """Remove the longest unused copies that nobody uses, as far as that is needed; called under the lock."""
        others = self._pins_of_others()
        found = [(path, path.stat()) for path in self._files.rglob("*") if path.is_file()]
        total = sum(each.st_size for _, each in found)
        for path, each in sorted(found, key=lambda pair: pair[1].st_mtime_ns):
            if total + num_bytes <= self._limit:
                break
            key = path.relative_to(self._files).as_posix()
            if key not in others and key not in self._pinned:
                path.unlink(missing_ok=True)
                total -= each.st_size
        check_room(self._folder, num_bytes, what="copies of the lake's files would take")

    def _pins_of_others(self) -> set[str]:
        """Return what other running processes use, and remove what dead ones left."""
        pinned: set[str] = set()
        for path in (self._folder / "pins").glob("*"):
            with suppress(FileNotFoundError), path.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    pinned.update(file.read().decode().splitlines())
                    continue
                path.unlink()
                shutil.rmtree(self._folder / "coming" / path.name, ignore_errors=True)
        return pinned


def _new_file(folder: Path) -> tuple[Path, int]:
    """Make a file of a name that no other process has."""
    number = 0
    while True:
        path = folder / f"{os.getpid()}-{number}"
        try:
            return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            number += 1
