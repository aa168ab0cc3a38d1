"""LMDB as the key-value store: one memory-mapped file that all processes of a machine share.

It is not synced: a process that dies loses nothing, a machine that dies may lose the last writes or, rarely, damage the
file. What is in it can be made again from logs, so a damaged file is thrown away.
"""

import contextlib
import fcntl
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import lmdb
import structlog

from endcap.core.errors import Code, StoreError
from endcap.stores.kv import Change

__all__ = ["LmdbKeyValues"]

_log = structlog.get_logger()

# LMDB breaks its locks when one process opens a file twice, so a process has one environment for each.
_opened: dict[str, tuple[lmdb.Environment, int]] = {}


class LmdbKeyValues:
    """The key-value port on one LMDB environment.

    Args:
        folder: Where `data.mdb` and `lock.mdb` lie; made if it is not there.
        size_mb: The most it may hold. The file takes room on disk only as it fills.

    Raises:
        StoreError: The folder cannot be used.
    """

    def __init__(self, folder: Path, *, size_mb: int = 1024) -> None:
        self._place = str(folder.resolve())
        held = _opened.get(self._place)
        self._environment = held[0] if held else _open(folder, size_mb)
        _opened[self._place] = (self._environment, held[1] + 1 if held else 1)

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key; see the port."""
        with self._told(), self._environment.begin() as transaction:
            found: bytes | None = transaction.get(key)
        return found

    def put(self, key: bytes, value: bytes) -> None:
        """Set one value; see the port."""
        self.change({key: lambda _old: value})

    def change(self, changes: Mapping[bytes, Change]) -> None:
        """Change several values in one write transaction, of which a machine has one at a time; see the port."""
        with self._told(), self._environment.begin(write=True) as transaction:
            for key, change in changes.items():
                transaction.put(key, change(transaction.get(key)))

    def close(self) -> None:
        """Let go of the environment; the last holder in the process closes it."""
        held = _opened.pop(self._place, None)
        if held is None:
            return
        if held[1] > 1:
            _opened[self._place] = (held[0], held[1] - 1)
        else:
            held[0].close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Tell LMDB's errors as the port's."""
        try:
            yield
        except lmdb.Error as error:
            raise _unusable(f"{type(error).__name__}: {error}", self._place) from error


def _open(folder: Path, size_mb: int) -> lmdb.Environment:
    def opened() -> lmdb.Environment:
        environment = lmdb.open(
            str(folder), map_size=size_mb << 20, sync=False, metasync=False, max_readers=1024, max_spare_txns=4
        )
        environment.reader_check()  # processes that were killed leave their place in the table of readers taken
        return environment

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # One opens at a time: two that throw the same damaged file away would end with a file each.
        with folder.with_name(f"{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                return opened()
            except (lmdb.CorruptedError, lmdb.InvalidError, lmdb.VersionMismatchError) as error:
                _log.warning("kv.damaged", folder=str(folder), error=str(error), done="thrown away, made anew")
                shutil.rmtree(folder)
                folder.mkdir(mode=0o700)
                return opened()
    except (lmdb.Error, OSError) as error:
        raise _unusable(str(error), str(folder)) from error


def _unusable(what: str, where: str) -> StoreError:
    return StoreError(
        f"the key-value store cannot be used: {what}",
        where=where,
        fix="look at the room on disk and the folder's owner; the folder may be deleted while no server runs",
        code=Code.STORE_UNUSABLE,
    )
