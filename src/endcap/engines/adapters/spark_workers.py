"""Is somebody there to compute? Spark itself waits for workers without end, also when the last of them has gone."""

import threading
import time
from typing import Any

from endcap.core.errors import Code, ConfigError

__all__ = ["WorkersWatch", "require_workers"]

_LOOK_S = 0.5
_WAIT_S = 60.0
"""Longest time without a worker; an executor's start takes seconds, on a busy machine half a minute."""


def require_workers(session: Any, master: str, memory_limit: str) -> None:
    """Wait until a worker has started an executor, for a minute at most.

    Raises:
        ConfigError: None has (ENGINE_UNREACHABLE).
    """
    deadline = time.monotonic() + _WAIT_S
    while not _num_executors(session):
        if time.monotonic() > deadline:
            raise ConfigError(
                f"the Spark master {master} answers, but in {_WAIT_S:.0f} s none of its workers has begun",
                where="$.engine.master",
                fix=f"start workers there, or free their cores; each needs {memory_limit} (engine.memory_limit)",
                code=Code.ENGINE_UNREACHABLE,
            )
        time.sleep(_LOOK_S)


class WorkersWatch:
    """Ends the jobs of a session whose workers are all gone for a minute.

    Args:
        session: A session on a standalone cluster.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._ended = threading.Event()
        self.has_given_up = False
        self._thread = threading.Thread(target=self._watch, name="spark-workers", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        seen = time.monotonic()
        while not self._ended.wait(_LOOK_S):
            try:
                if _num_executors(self._session):
                    seen, self.has_given_up = time.monotonic(), False
                elif time.monotonic() - seen > _WAIT_S:
                    self.has_given_up = True
                    self._session.sparkContext.cancelAllJobs()
            except Exception:  # noqa: BLE001 - the session is gone: whoever asks it something is told so
                return

    def close(self) -> None:
        """Stop watching."""
        self._ended.set()
        self._thread.join()


def _num_executors(session: Any) -> int:
    return int(session.sparkContext._jsc.sc().getExecutorMemoryStatus().size()) - 1  # noqa: SLF001 - PySpark has no other way; the driver counts
