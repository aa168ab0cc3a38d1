"""LMDB as the key-value store: one memory-mapped file that all processes of a machine share.

It is not synced: a process that dies loses nothing, a machine that dies may lose the last writes or, rarely, damage the
file. What is in it can be made again from logs, so a damaged file is thrown away.
"""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import lmdb
import structlog

from endcap.core.errors import Code, StoreError
from endcap.stores.kv import Change, IsOld

__all__ = ["LmdbKeyValues"]

_log = structlog.get_logger()

_BATCH = 1000
_ROOM = {b"\xffroom%d" % number: b" " * 3000 for number in range(16)}  # 16 pages
_PAUSE_S = 0.001  # between batches, so that a thread that prunes leaves the others of its process their turn
_UNWRITTEN_PAGES = 64  # a sound file may be this much shorter than its header says: pages taken and given back at once


@dataclass
class _Held:
    """An open environment.

    Args:
        environment: LMDB's.
        lock: Descriptor of the file that is locked as long as the environment is open.
        num_holders: How many of this process use it.
    """

    environment: lmdb.Environment
    lock: int
    num_holders: int = 0


# LMDB breaks its locks when one process opens a file twice, so a process has one environment for each.
_opened: dict[str, _Held] = {}


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
        held = _opened.get(self._place) or _open(folder, size_mb)
        held.num_holders += 1
        self._environment = _opened.setdefault(self._place, held).environment

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
            _keep_room(transaction)

    def prune(self, is_old: IsOld) -> int:
        """Remove what is old, in write transactions of a few milliseconds; see the port."""
        num_removed, at = 0, b""
        with self._told(), (Path(self._place) / "prune.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return 0
            while True:
                keys, following = self._old(at, is_old)
                num_removed += self._remove(keys, is_old)
                if following is None:
                    self._commit_once_more()
                    return num_removed
                at = following
                time.sleep(_PAUSE_S)

    def _old(self, at: bytes, is_old: IsOld) -> tuple[list[bytes], bytes | None]:
        """Return the old ones of a batch of keys from `at` on, and the key after them; None where that was the end."""
        found: list[bytes] = []
        with self._environment.begin() as transaction:
            cursor = transaction.cursor()
            cursor.set_range(at)
            for number, (key, value) in enumerate(cursor):
                if number == _BATCH:
                    return found, key
                if is_old(key, value):
                    found.append(key)
        return found, None

    def _remove(self, keys: Sequence[bytes], is_old: IsOld) -> int:
        """Remove the keys whose values are still old."""
        num_removed, at, size = 0, 0, _BATCH
        while at < len(keys):
            try:
                with self._environment.begin(write=True) as transaction:
                    num = 0
                    for key in keys[at : at + size]:
                        value = transaction.get(key)
                        num += value is not None and is_old(key, value) and transaction.delete(key)
            except lmdb.MapFullError:  # removing writes pages too; of a full store few fit into one transaction
                if size == 1:
                    raise
                size //= 10
            else:
                num_removed, at = num_removed + num, at + size
        return num_removed

    def _commit_once_more(self) -> None:
        """Make the pages usable that the last transaction has freed: LMDB leaves them alone for one more."""
        key = next(iter(_ROOM))
        with contextlib.suppress(lmdb.MapFullError), self._environment.begin(write=True) as transaction:
            transaction.put(key, b"")
            transaction.delete(key)

    def close(self) -> None:
        """Let go of the environment; the last holder in the process closes it."""
        held = _opened.get(self._place)
        if held is None:
            return
        held.num_holders -= 1
        if not held.num_holders:
            del _opened[self._place]
            held.environment.close()
            os.close(held.lock)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Tell LMDB's errors as the port's."""
        try:
            yield
        except lmdb.MapFullError as error:
            raise _full(self._environment.info()["map_size"] >> 20, self._place) from error
        except (lmdb.Error, OSError) as error:
            raise _unusable(f"{type(error).__name__}: {error}", self._place) from error


def _open(folder: Path, size_mb: int) -> _Held:
    """Open an environment, and hold a lock that tells others of it: a file in use is not thrown away."""

    def opened() -> lmdb.Environment:
        environment = lmdb.open(
            str(folder), map_size=size_mb << 20, sync=False, metasync=False, max_readers=1024, max_spare_txns=4
        )
        environment.reader_check()  # processes that were killed leave their place in the table of readers taken
        return environment

    lock = -1
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder.with_name(f"{folder.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        is_alone = _locked_alone(lock)
        try:
            environment = opened()
            if is_alone:
                _check_length(environment, folder)
        except (lmdb.CorruptedError, lmdb.InvalidError, lmdb.VersionMismatchError) as error:
            if not is_alone:
                raise
            _log.warning("kv.damaged", folder=str(folder), error=str(error), done="thrown away, made anew")
            shutil.rmtree(folder)
            folder.mkdir(mode=0o700)
            environment = opened()
        fcntl.flock(lock, fcntl.LOCK_SH)
    except (lmdb.Error, OSError) as error:
        if lock >= 0:
            os.close(lock)
        raise _unusable(str(error), str(folder)) from error
    return _Held(environment, lock)


def _locked_alone(lock: int) -> bool:
    """Lock the file by which processes know of each other; return whether no other one has the store open."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(lock, fcntl.LOCK_SH)  # waits while another one opens it, and maybe makes it anew
        return False
    return True


def _keep_room(transaction: lmdb.Transaction) -> None:
    """Fail as full while some pages are left: removing writes pages too, and a store without any stays full for good.

    Measured on 2026-11-24: 12 us a write. Without it, full stores of values of at most 60, 100, 1,000 and 3,000 bytes
    could not be pruned; one of 10,000 could.
    """
    for key, value in _ROOM.items():
        transaction.put(key, value)
    for key in _ROOM:
        transaction.delete(key)


def _check_length(environment: lmdb.Environment, folder: Path) -> None:
    """Refuse a file that a machine's crash has cut: to read what is not there would kill the process."""
    wanted = environment.info()["last_pgno"] + 1
    pages = (folder / "data.mdb").stat().st_size // environment.stat()["psize"]
    if pages + _UNWRITTEN_PAGES < wanted:
        environment.close()
        raise lmdb.CorruptedError(f"the file has {pages} pages of {wanted}")


def _full(size_mb: int, where: str) -> StoreError:
    return StoreError(
        f"the key-value store is full: it holds the {size_mb:,} MB it may hold",
        where=where,
        fix="raise serving.kv_mb in endcap.toml and start the server again",
        code=Code.STORE_UNUSABLE,
    )


def _unusable(what: str, where: str) -> StoreError:
    return StoreError(
        f"the key-value store cannot be used: {what}",
        where=where,
        fix="look at the room on disk and the folder's owner; the folder may be deleted while no server runs",
        code=Code.STORE_UNUSABLE,
    )
