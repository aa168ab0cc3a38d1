"""Leases: one runner at a time does a step; a dead runner's lease is taken over, a late one is fenced off.

The database's clock decides when a lease has run out. A holder of this machine that no longer runs (killed, out of
memory) is replaced at once; one of another machine when its lease runs out.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa
import structlog

from endcap.core.errors import Code, LedgerError
from endcap.flows.holder import holder_of_this_process, is_held, told
from endcap.flows.retry import Retry, in_ledger
from endcap.stores.catalog import Catalog, lease
from endcap.stores.tables import Fence

__all__ = ["LEASE_S", "Held", "held", "holder_of_this_process"]

LEASE_S = 120
"""Seconds that a lease lives without a heartbeat: longer than a machine that swaps, or a database that restarts, keeps
a living runner from it. A dead one of this machine is replaced at once."""

_log = structlog.get_logger()

_BEATS = 6
"""Heartbeats in the life of a lease."""

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


@contextmanager
def held(
    catalog: Catalog,
    name: str,
    *,
    wait_s: float | None,
    waiting: Callable[[str], None] = lambda _who: None,
    lease_s: float = LEASE_S,
    retry: Retry | None = None,
) -> Iterator[Held]:
    """Hold the lease of a name for the length of the block, with a heartbeat.

    Args:
        catalog: The database.
        name: What is leased.
        wait_s: How long to wait for a living holder, seconds; None for as long as it lives.
        waiting: Is told once who is waited for.
        lease_s: Seconds that the lease lives without a heartbeat.
        retry: When and how a transaction is tried again.

    Raises:
        LedgerError: A living runner holds it for longer than that (STEP_HELD).
    """
    asked_s = time.perf_counter()
    mine = _Lease(catalog, name, lease_s, retry or Retry())
    is_told = False
    while (token := mine.take()) is None:
        who = mine.holder()
        if wait_s is not None and time.perf_counter() - asked_s > wait_s:
            raise _still_held(name, who)
        if not is_told:
            waiting(who)
            is_told = True
        time.sleep(_ASK_AGAIN_S)
    queue_s = time.perf_counter() - asked_s
    stop = threading.Event()
    heart = threading.Thread(target=_beat, args=(mine, token, stop), daemon=True, name=f"heartbeat {name}")
    heart.start()
    try:
        yield Held(fence=Fence(name, token), queue_s=queue_s)
    finally:
        stop.set()
        heart.join()
        try:
            mine.give_back(token)
        except (sa.exc.SQLAlchemyError, LedgerError) as error:  # it runs out by itself; what was raised is told
            _log.warning("lease.not_given_back", lease=name, error=type(error).__name__)


@dataclass
class _Lease:
    """The row of one name, whoever holds it."""

    catalog: Catalog
    name: str
    lease_s: float
    retry: Retry = field(default_factory=Retry)
    tried: int = 0

    @in_ledger
    def take(self) -> int | None:
        """Take the lease if it is free, has run out, or its holder is dead; return the token, or None.

        Where it was taken and the answer was lost, it is ours all the same: nobody would give it back.
        """
        mine, holder = lease.c.name == self.name, holder_of_this_process()
        with self.catalog.begin() as connection:
            now_us = self.catalog.now_us(connection)
            found = connection.execute(sa.select(lease).where(mine)).one_or_none()
            if found is not None and is_held(found, now_us):
                is_mine = self.tried and (found.holder, found.token) == (holder, self.tried)
                return self.tried if is_mine else None
            token = self.tried = 1 if found is None else int(found.token) + 1
            values = {"holder": holder, "token": token, "expires_at_us": now_us + int(self.lease_s * 1_000_000)}
            if found is None:
                connection.execute(sa.insert(lease).values(name=self.name, **values))
            else:
                connection.execute(sa.update(lease).where(mine).values(**values))
            return token

    @in_ledger
    def holder(self) -> str:
        """Return who holds it, as people read it."""
        with self.catalog.begin() as connection:
            return told(connection.execute(sa.select(lease.c.holder).where(lease.c.name == self.name)).scalar())

    @in_ledger
    def give_back(self, token: int) -> None:
        """Let others have it at once, unless one has taken it over."""
        with self.catalog.begin() as connection:
            mine = (lease.c.name == self.name) & (lease.c.token == token)
            connection.execute(sa.update(lease).where(mine).values(holder=None, expires_at_us=0))

    def beat(self, token: int) -> None:
        """Have it live for another while."""
        with self.catalog.begin() as connection:
            mine = (lease.c.name == self.name) & (lease.c.token == token)
            expires_at_us = self.catalog.now_us(connection) + int(self.lease_s * 1_000_000)
            connection.execute(sa.update(lease).where(mine).values(expires_at_us=expires_at_us))


def _beat(mine: _Lease, token: int, stop: threading.Event) -> None:
    while not stop.wait(mine.lease_s / _BEATS):
        try:
            mine.beat(token)
        except sa.exc.SQLAlchemyError as error:  # a database that is busy now is asked again with the next beat
            _log.warning("lease.beat_failed", lease=mine.name, error=type(error).__name__)


def _still_held(name: str, who: str) -> LedgerError:
    return LedgerError(
        f"another runner does this step: {who}",
        where=name,
        fix="wait for it to end, or end that process: its lease runs out by itself",
        code=Code.STEP_HELD,
    )
