"""Leases: one runner at a time does a step; a dead runner's lease is taken over, a late one is fenced off.

The database's clock decides when a lease has run out. A holder of this machine that no longer runs (killed, out of
memory) is replaced at once; one of another machine when its lease runs out.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import sqlalchemy as sa
import structlog

from endcap.core.errors import Code, LedgerError
from endcap.stores.catalog import Catalog, lease
from endcap.stores.tables import Fence

__all__ = ["LEASE_S", "held", "holder_of_this_process"]

LEASE_S = 30
"""Seconds that a lease lives without a heartbeat."""

_log = structlog.get_logger()

_HEARTBEAT_S = 5
_ASK_AGAIN_S = 0.25


@dataclass(frozen=True)
class Held:
    """A lease in hand.

    Args:
        fence: The right to write that goes with it.
        queue_s: Seconds waited for it.
    """

    fence: Fence
    queue_s: float


def holder_of_this_process() -> str:
    """Name this process so that another one can tell whether it still runs: machine, boot, process and its start."""
    return f"{_machine()}|{os.getpid()}|{psutil.Process().create_time():.2f}"


@contextmanager
def held(catalog: Catalog, name: str, *, wait_s: float) -> Iterator[Held]:
    """Hold the lease of a name for the length of the block, with a heartbeat.

    Args:
        catalog: The database.
        name: What is leased.
        wait_s: How long to wait for a living holder.

    Raises:
        LedgerError: A living runner holds it for longer than that (STEP_HELD).
    """
    asked_s = time.perf_counter()
    holder = holder_of_this_process()
    while (token := _take(catalog, name, holder)) is None:
        if time.perf_counter() - asked_s > wait_s:
            raise _still_held(catalog, name)
        time.sleep(_ASK_AGAIN_S)
    stop = threading.Event()
    heart = threading.Thread(target=_beat, args=(catalog, name, token, stop), daemon=True, name=f"heartbeat {name}")
    heart.start()
    try:
        yield Held(fence=Fence(name, token), queue_s=time.perf_counter() - asked_s)
    finally:
        stop.set()
        heart.join()
        with catalog.begin() as connection:
            mine = (lease.c.name == name) & (lease.c.token == token)
            connection.execute(sa.update(lease).where(mine).values(holder=None, expires_at_us=0))


def _take(catalog: Catalog, name: str, holder: str) -> int | None:
    """Take the lease if it is free, has run out, or its holder is dead; return the token, or None."""
    with catalog.begin() as connection:
        now_us = catalog.now_us(connection)
        found = connection.execute(sa.select(lease).where(lease.c.name == name).with_for_update()).one_or_none()
        expires_at_us = now_us + LEASE_S * 1_000_000
        if found is None:
            connection.execute(sa.insert(lease).values(name=name, holder=holder, token=1, expires_at_us=expires_at_us))
            return 1
        if found.holder is not None and found.expires_at_us > now_us and not _is_dead(found.holder):
            return None
        token = int(found.token) + 1
        mine = sa.update(lease).where(lease.c.name == name)
        connection.execute(mine.values(holder=holder, token=token, expires_at_us=expires_at_us))
        return token


def _beat(catalog: Catalog, name: str, token: int, stop: threading.Event) -> None:
    while not stop.wait(_HEARTBEAT_S):
        try:
            with catalog.begin() as connection:
                mine = (lease.c.name == name) & (lease.c.token == token)
                expires_at_us = catalog.now_us(connection) + LEASE_S * 1_000_000
                connection.execute(sa.update(lease).where(mine).values(expires_at_us=expires_at_us))
        except sa.exc.SQLAlchemyError as error:  # a database that is busy now is asked again with the next beat
            _log.warning("lease.beat_failed", lease=name, error=type(error).__name__)


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


def _still_held(catalog: Catalog, name: str) -> LedgerError:
    with catalog.begin() as connection:
        found = connection.execute(sa.select(lease).where(lease.c.name == name)).one()
    host, _, pid, _ = str(found.holder or "nobody|||").split("|")
    return LedgerError(
        f"another runner does this step: process {pid} on {host}",
        where=name,
        fix="wait for it to end, or end that process: its lease runs out by itself",
        code=Code.STEP_HELD,
    )
