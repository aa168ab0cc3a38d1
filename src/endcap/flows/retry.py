"""When something is tried again, how often, and how long is waited in between: the whole policy stands here.

Tried again is what may go well by itself a moment later:

- a transaction of the ledger whose database is gone, restarts or is busy (`LEDGER`); it is one transaction, so that a
  lost connection leaves all of it or nothing, and every transaction of the ledger may be done twice;
- a step (`STEP`) that met a place which cannot be reached just now, another writer's commit, or inputs that another
  runner changed while it read them.

All else would fail again in the same way and is told at once.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import sqlalchemy as sa
import structlog

from endcap.core.errors import Code, EndcapError, LedgerError
from endcap.stores.catalog import Catalog

__all__ = ["LEDGER", "STEP", "HasCatalog", "Policy", "Retry", "in_ledger", "why_again"]

_log = structlog.get_logger()
_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(frozen=True)
class Policy:
    """How often something is tried, with waits that grow.

    Args:
        tries: Most tries, the first among them.
        first_s: Seconds before the second try; each later wait is twice the one before.
        longest_s: Longest wait, seconds.
    """

    tries: int
    first_s: float
    longest_s: float

    def waits(self) -> Iterator[float]:
        """Give the seconds before the second try, the third, and so on.

        >>> list(Policy(tries=5, first_s=1.0, longest_s=4.0).waits())
        [1.0, 2.0, 4.0, 4.0]
        """
        for number in range(self.tries - 1):
            yield min(self.first_s * 2**number, self.longest_s)


LEDGER = Policy(tries=16, first_s=0.1, longest_s=5.0)
"""A minute in all: longer than a database takes to restart."""

STEP = Policy(tries=4, first_s=1.0, longest_s=30.0)
"""Seven seconds in all: the clients of object stores have tried for longer before they give up."""

_TRANSIENT = {Code.COMMIT_CONFLICT, Code.SOURCE_UNREACHABLE, Code.STORAGE_UNREACHABLE, Code.STORE_UNUSABLE}
_BY_NAME = {"CommitFailedError", "TimeoutError", "ConnectionError", "ConnectionResetError", "BrokenPipeError"}
"""Names of classes, as the tables' and stores' own ones are known to their adapters alone."""

_PASSING_STATES = ("08", "40", "53300", "57P", "25P03", "55P03")
"""Starts of the SQLSTATEs of what passes: connection, conflict, too many, shutdown, stopped for too long, lock."""


@dataclass(frozen=True)
class Retry:
    """The policies in force, and how one waits.

    Args:
        ledger: For transactions of the ledger.
        step: For steps.
        wait: Waits for some seconds.
    """

    ledger: Policy = field(default=LEDGER)
    step: Policy = field(default=STEP)
    wait: Callable[[float], None] = time.sleep


class HasCatalog(Protocol):
    """What works on the catalog database and may try again."""

    catalog: Catalog
    retry: Retry


def in_ledger(
    work: Callable[Concatenate[Any, _P], _R],
) -> Callable[Concatenate[Any, _P], _R]:
    """Do a method, which is one transaction, again where its database was gone for a moment.

    Raises:
        LedgerError: It stays gone (LEDGER_GONE).
    """

    @wraps(work)
    def done(self: Any, /, *words: _P.args, **options: _P.kwargs) -> _R:
        waits = self.retry.ledger.waits()
        while True:
            try:
                return work(self, *words, **options)
            except sa.exc.DBAPIError as error:
                if not _passes(error):
                    raise
                wait_s = next(waits, None)
                if wait_s is None:
                    raise _gone(self, error) from error
                _log.warning("ledger.tried_again", work=work.__name__, error=type(error.orig).__name__, wait_s=wait_s)
            self.retry.wait(wait_s)

    return done


def why_again(error: BaseException) -> str:
    """Return why a step that failed in this way is tried again, "" if it is not: a code, or the name of a class."""
    if isinstance(error, EndcapError):
        return error.code.value if error.code in _TRANSIENT else ""
    names = [kind.__name__ for kind in type(error).__mro__]
    return next((name for name in names if name in _BY_NAME), "")


def _passes(error: sa.exc.DBAPIError) -> bool:
    """Whether a database may answer a moment later."""
    if error.connection_invalidated:
        return True
    if not isinstance(error, sa.exc.OperationalError | sa.exc.InternalError | sa.exc.InterfaceError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_PASSING_STATES)
    told = str(error.orig).lower()
    return any(word in told for word in ("connect", "locked", "server", "timeout"))


def _gone(it: HasCatalog, error: sa.exc.DBAPIError) -> LedgerError:
    waited_s = sum(it.retry.ledger.waits())
    return LedgerError(
        f"the catalog database did not answer {it.retry.ledger.tries} times in {waited_s:.0f} s: "
        f"{str(error.orig).strip().splitlines()[0]}",
        where=it.catalog.where,
        fix="see that the database runs and can be reached, and run the command again: it goes on where it was",
        code=Code.LEDGER_GONE,
    )
