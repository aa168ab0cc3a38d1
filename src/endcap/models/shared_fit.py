"""A fit that several processes of this machine share: started, listened to, and ended together.

This process trains nothing. It stays free to tell progress, and to end the ranks whatever becomes of one of them.
"""

import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from queue import Empty, Queue
from signal import SIGABRT, strsignal
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Self

import psutil
import structlog

from endcap.core.errors import Code, EndcapError, ModelError, untold_error
from endcap.core.sequences import Catalogue
from endcap.models.protocol import Scorer, SharedAlgorithm
from endcap.models.scorers import check_kind, load_scorer
from endcap.models.shared_work import SCORER, Work
from endcap.models.training.settings import Progress, TrainingRun
from endcap.models.training.source import Source

__all__ = ["fit_together", "is_a_rank"]

_GRACE_S = 5.0
"""What the others have to end by themselves, once one has failed; messages that break tell them at once."""

_log = structlog.get_logger()


def is_a_rank() -> bool:
    """Whether this process is one of several that train together already, started by us or by torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def fit_together(
    recipe: SharedAlgorithm, source: Source, catalogue: Catalogue, *, seed: int, run: TrainingRun
) -> Scorer:
    """Fit a recipe by as many processes as the run's settings say.

    Args:
        recipe: A recipe that ranks may share, known by its name.
        source: All in memory, or `Files`.
        catalogue: N items.
        seed: Of the run.
        run: How to train, where checkpoints lie, who is told. From checkpoints of any number of ranks it goes on.

    Raises:
        ModelError: A rank has died (RANK_LOST); what it raised itself; or recipe or source cannot be handed over.
        StoreError: The disk has no room for what the ranks learn from.
    """
    check_kind(recipe.kind)
    _warn(run.settings.ranks, _cores())
    if run.scratch is not None:
        run.scratch.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="ranks-", dir=run.scratch, ignore_cleanup_errors=True) as place:
        folder = Path(place).absolute()
        Work(recipe, source, catalogue, seed, run.settings, run.checkpoints).write(folder)
        with _Processes(folder, recipe.kind, run.settings.ranks) as processes:
            processes.listen(run.told or (lambda _progress: None))
        return load_scorer(folder / SCORER)


@dataclass
class _Processes:
    """The ranks of one fit; a context manager that ends them.

    Args:
        folder: What they are given.
        kind: Of the recipe, for errors.
        size: How many.
    """

    folder: Path
    kind: str
    size: int
    _running: "list[subprocess.Popen[str]]" = field(default_factory=list)
    _said: "Queue[tuple[int, dict[str, Any] | None]]" = field(default_factory=Queue)
    _threads: list[threading.Thread] = field(default_factory=list)
    _ended_here: set[int] = field(default_factory=set)

    def __enter__(self) -> Self:
        """Start them."""
        try:
            for rank in range(self.size):
                self._running.append(self._start(rank))
                self._threads.append(threading.Thread(target=self._hear, args=(rank,), daemon=True))
                self._threads[-1].start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        """End those that still go on."""
        for process in self._running:
            process.kill()
        for thread in self._threads:
            thread.join()
        for process in self._running:
            with suppress(BrokenPipeError), process:
                pass  # closes its pipes and waits for it

    def listen(self, told: Callable[[Progress], None]) -> None:
        """Tell progress until all ranks are done.

        Raises:
            EndcapError: What went wrong in one of them, or that it died.
        """
        failures: list[tuple[int, dict[str, Any]]] = []
        going_on, end_s = set(range(self.size)), math.inf
        while going_on:
            if failures:
                end_s = min(end_s, perf_counter() + _GRACE_S)
            try:
                rank, words = self._said.get(timeout=max(end_s - perf_counter(), 0) if failures else None)
            except Empty:
                self._end(going_on)
                continue
            if words is None:
                going_on.remove(rank)
                if self._running[rank].returncode and rank not in self._ended_here:
                    failures.append((rank, {}))
            elif "progress" in words:
                os.utime(self.folder)  # what was not touched for a day is tidied up
                told(Progress(**words["progress"]))
            else:
                failures.append((rank, words))
        if failures:
            raise self._error(failures)

    def _start(self, rank: int) -> "subprocess.Popen[str]":
        numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": self.size, "LOCAL_WORLD_SIZE": self.size}
        environment = {
            "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": _loopback(), **os.environ,
            **{name: str(number) for name, number in numbers.items()},
            # What can be imported here can be imported there, and nothing else: -P leaves the working folder out.
            "PYTHONPATH": os.pathsep.join(each or str(Path.cwd()) for each in sys.path),
        }  # fmt: skip
        with self._errors(rank).open("wb") as errors:
            return subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-P", "-m", "endcap.models.rank", str(self.folder)],
                env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
                start_new_session=True,  # Ctrl-C is for this process, which ends them
            )  # fmt: skip

    def _hear(self, rank: int) -> None:
        """Pass on what a rank says, and that it has ended."""
        process = self._running[rank]
        assert process.stdout is not None
        for line in process.stdout:
            with suppress(ValueError):  # a line that was cut off by its end
                self._said.put((rank, json.loads(line)))
        process.wait()
        self._said.put((rank, None))

    def _end(self, ranks: set[int]) -> None:
        for rank in ranks:
            self._ended_here.add(rank)
            self._running[rank].kill()

    def _errors(self, rank: int) -> Path:
        return self.folder / f"rank-{rank}.txt"

    def _error(self, failures: list[tuple[int, dict[str, Any]]]) -> Exception:
        rank, words = _cause(failures, [process.returncode for process in self._running])
        if "error" in words:
            return untold_error(words["error"])
        return self._fault(rank, words["fault"]) if words else self._lost(rank)

    def _fault(self, rank: int, told: Mapping[str, str]) -> Exception:
        """Return what nobody foresaw, as it would have been raised here."""
        kind = MemoryError if told["kind"] == "MemoryError" else RuntimeError
        error = kind(f"rank {rank} of {self.size}: {told['kind']}: {told['text']}")
        error.add_note(told["trace"])
        return error

    def _lost(self, rank: int) -> EndcapError:
        code = self._running[rank].returncode
        how = f"was ended by signal {-code} ({strsignal(-code)})" if code < 0 else f"ended with {code}"
        last = self._errors(rank).read_text("utf-8", errors="replace").strip().splitlines()[-1:]
        return ModelError(
            f"rank {rank} of the {self.size} that fit {self.kind} {how}"
            + (f"; its last words: {last[0]}" if last and code > 0 else ""),
            where=f"$.models.training.ranks = {self.size}",
            fix="look whether the machine has run out of memory, then set fewer ranks or a models.training.window; the "
            "same command goes on from the latest checkpoint",
            code=Code.RANK_LOST,
        )


def _cause(failures: list[tuple[int, dict[str, Any]]], ends: Sequence[int]) -> tuple[int, dict[str, Any]]:
    """Return the failure that led to the others, in whatever order they were heard of.

    A rank that died without a word comes first: the others tell that it does not answer. Else the first by its time.

    Args:
        failures: Ranks and what they told; nothing of one that has ended. At least one.
        ends: Exit code of each rank, negative for a signal.
    """
    told = [(rank, words) for rank, words in failures if words]
    died = sorted({rank for rank, _ in failures} - {rank for rank, _ in told})
    # Libraries end a process themselves by SIGABRT, where another rank does not answer them.
    silent = [rank for rank in died if ends[rank] != -SIGABRT]
    if silent or not told:
        return (silent or died)[0], {}
    return min(told, key=lambda each: float(each[1]["at_s"]))


def _loopback() -> str:
    """Return the interface that reaches this machine alone: ranks do not talk over the network."""
    return next(
        (name for name, found in psutil.net_if_addrs().items() if any(each.address == "127.0.0.1" for each in found)),
        "lo",
    )


def _cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _warn(ranks: int, cores: int) -> None:
    """Say once that ranks will wait for each other; what they learn is the same, so it is no error."""
    if ranks > cores:
        _log.warning("ranks.more_than_cores", ranks=ranks, cores=cores, fix=f"set models.training.ranks to {cores}")
