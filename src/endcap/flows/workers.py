"""Worker processes of a run: each does one chunk at a time; one that dies is replaced, and its chunk is done again.

Chunks go to a worker as lines of JSON, answers come back so. A worker whose coordinator is gone sees its input end, and
ends itself at once; if it were frozen just then, its lease has been taken over when it wakes, and every commit of it is
refused.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from types import MappingProxyType
from typing import Any, Self

from endcap.core.errors import Code, EndcapError, StoreError, untold_error
from endcap.flows.flow import Flow, Step, StepReport
from endcap.flows.ledger import Ledger
from endcap.stores.tables import Fence

__all__ = ["Workers"]

_MOST_TRIES = 3
"""A chunk that has killed three workers would kill the fourth: it is too large for the machine, or its data kills."""

_Answer = tuple[list[str], "StepReport | Exception"]


@dataclass
class Workers:
    """Processes that do chunks of a run's steps, one step after the other; a context manager that ends them.

    Args:
        shop: The shop's folder.
        ledger: Is told of attempts whose process died.
        num: How many; a process starts when it first has something to do.
    """

    shop: Path
    ledger: Ledger
    num: int
    _asked: "Queue[tuple[list[str], dict[str, Any]] | None]" = field(default_factory=Queue)
    _answered: "Queue[_Answer]" = field(default_factory=Queue)
    _open: int = 0
    processes: "list[subprocess.Popen[str]]" = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _ends: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        """Begin."""
        for at in range(self.num):
            self._threads.append(threading.Thread(target=self._serve, daemon=True, name=f"worker {at}"))
            self._threads[-1].start()
        return self

    def __exit__(self, *_error: object) -> None:
        """End all processes."""
        self._ends.set()
        for _thread in self._threads:
            self._asked.put(None)
        for process in self.processes:
            process.kill()
        for thread in self._threads:
            thread.join()
        for ended in self.processes:
            with suppress(BrokenPipeError), ended:
                pass  # closes its pipes and waits for it

    def ask(
        self,
        flow: Flow,
        step: Step,
        lease: tuple[Fence, float],
        pending: Mapping[str, str],
        inputs: Mapping[str, Mapping[str, str]],
        *,
        retry: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Have a chunk done.

        Args:
            flow: The run.
            step: The step; its days do not look back on each other.
            lease: The right to write, and the seconds waited for it.
            pending: Partition -> fingerprint.
            inputs: Partition -> its inputs.
            retry: Of a chunk that is tried again: what its attempt tells of that.
        """
        chunk, (fence, queue_s) = sorted(pending), lease
        self._open += 1
        self._asked.put(
            (
                chunk,
                {
                    "step": step.name, "pending": dict(pending), "inputs": dict(inputs),
                    "fence": [fence.name, fence.token], "queue_s": queue_s, "retry": dict(retry),
                    "run_id": flow.run_id, "now_us": flow.now_us, "through": flow.through,
                    "again": sorted(flow.again),
                },
            )
        )  # fmt: skip

    def drop(self) -> None:
        """Forget the chunks that no worker has begun, and wait for the others: nobody asks for them any more."""
        with suppress(Empty):
            while True:
                self._asked.get_nowait()
                self._open -= 1
        for _answer in self.answers():
            pass

    def answers(self) -> Iterator[_Answer]:
        """Yield each chunk with its report or its error, until all that were asked are answered."""
        while self._open:
            answer = self._answered.get()
            self._open -= 1
            yield answer

    def _serve(self) -> None:
        """Give one process chunk after chunk."""
        process: subprocess.Popen[str] | None = None
        while (asked := self._asked.get()) is not None:
            chunk, words = asked
            try:
                for _ in range(_MOST_TRIES):
                    process = process or self._start()
                    line = _say(process, json.dumps(words))
                    if line:
                        self._answered.put((chunk, _understood(json.loads(line))))
                        break
                    process.wait()
                    code, process = process.returncode, None
                    if self._ends.is_set():
                        return
                    self.ledger.abandon(words["run_id"], words["step"], chunk)
                else:
                    self._answered.put((chunk, _lost(words["step"], chunk, code)))
            except Exception as error:  # noqa: BLE001 - told by the thread that waits for answers
                self._answered.put((chunk, error))

    def _start(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "endcap.flows.worker", str(self.shop), str(self.num)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own command
        self.processes.append(process)
        return process


def _say(process: "subprocess.Popen[str]", line: str) -> str:
    """Send a line; return the answer, "" where the process died."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(line + "\n")
        process.stdin.flush()
    except BrokenPipeError:
        return ""
    return process.stdout.readline()


def _understood(answer: Mapping[str, Any]) -> StepReport | EndcapError:
    return StepReport(**answer["report"]) if "report" in answer else untold_error(answer["error"])


def _lost(step: str, chunk: list[str], code: int) -> EndcapError:
    return StoreError(
        f"{_MOST_TRIES} processes that did {len(chunk)} partitions died one after the other, the last with {code}",
        where=f"step {step}, {chunk[0]} to {chunk[-1]}",
        fix="look whether the machine has run out of memory; lower engine.rows_at_once or --parallel, and run it again",
        code=Code.WORKER_LOST,
    )
