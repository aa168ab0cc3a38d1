"""Worker processes that were forked before the work began, with their stores wrapped: each begins when first asked.

They run what a worker runs (`endcap.flows.worker.main`), are children of the command, and get chunks by pipes.
"""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Self, TextIO

from endcap.flows import worker
from endcap.flows.workers import Workers
from endcap.testing.faults import Operations

__all__ = ["SpareWorker", "keep_spares"]

_SPARES = 5
"""Two at work, and those that follow one that died."""


def keep_spares(words: Sequence[str], operations: Operations) -> None:
    """Fork workers from this process, which must have no threads, and have its `Workers` use them.

    Args:
        words: Words of a worker's command: the shop's folder and how many share the machine.
        operations: Counts theirs, under names that begin with `worker/`.
    """
    spares: list[SpareWorker] = []
    for _ in range(_SPARES):
        spares.append(SpareWorker(words, operations, spares))

    def start(self: Workers) -> SpareWorker:
        self.processes.append(spares.pop(0))  # type: ignore[arg-type]
        return self.processes[-1]  # type: ignore[return-value]

    Workers._start = start  # type: ignore[method-assign,assignment] # noqa: SLF001 - as a subprocess it would be spawned


class SpareWorker:
    """A forked worker, with as much of `subprocess.Popen` as `Workers` uses.

    Args:
        words: Words of its command.
        operations: Counts its operations.
        others: Those that were forked before: it must not keep their pipes open.
    """

    def __init__(self, words: Sequence[str], operations: Operations, others: Sequence["SpareWorker"]) -> None:
        asked, asking = os.pipe()
        answered, answering = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                for each in (asking, answered, *(file.fileno() for other in others for file in other.files)):
                    os.close(each)
                os.dup2(asked, 0)
                os.dup2(answering, 1)
                os.close(asked)
                os.close(answering)
                sys.stdin, sys.stdout = open(0, encoding="utf-8"), open(1, "w", encoding="utf-8")  # noqa: SIM115
                operations.who = "worker/"
                _wait_for_words()
                worker.main(list(words))
            finally:
                os._exit(70)
        os.close(asked)
        os.close(answering)
        self.stdin: TextIO = os.fdopen(asking, "w", encoding="utf-8")
        self.stdout: TextIO = os.fdopen(answered, encoding="utf-8")
        self.returncode: int | None = None

    @property
    def files(self) -> tuple[TextIO, TextIO]:
        """Its pipes."""
        return self.stdin, self.stdout

    def kill(self) -> None:
        """Kill it if it has not ended."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Wait for its end."""
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stdout.close()
        try:
            self.stdin.close()
        finally:
            self.wait()


def _wait_for_words() -> None:
    """Wait until somebody asks, or nobody will: then `main` sees the end of its input and ends."""
    import select  # noqa: PLC0415 - of a spare alone

    select.select([0], [], [])
