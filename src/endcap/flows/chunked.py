"""A step's pending days, chunk after chunk or in several processes: what fails is kept apart, all else is done.

A chunk is one attempt under the step's one lease. In a refresh the first chunk that fails ends the run, and those
before it stay done. A run that keeps its trouble (a backfill) halves a chunk that fails until the days are found that
do; what is made of these waits. A fault that no day is guilty of (the lease was taken over, a store or the ledger
cannot be used, the disk is full) ends every run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from endcap.core.clock import next_day
from endcap.core.errors import Code, DataError, EndcapError
from endcap.flows.chunks import Sizes, cut, halves, is_day
from endcap.flows.flow import Flow, Step, StepReport
from endcap.flows.retry import why_again
from endcap.stores.local_files import is_disk_full
from endcap.stores.tables import Fence

__all__ = ["Attempt", "do_chunks", "fault_of"]

Attempt = Callable[..., StepReport]
"""`runner.attempt`: the run, the step, fingerprints, inputs, the lease, and `retry`."""

_NOBODYS = frozenset(
    {
        Code.CONFIG_MISSING,
        Code.CONFIG_INVALID,
        Code.CONFIG_KEY,
        Code.FENCED,
        Code.STEP_HELD,
        Code.LEDGER_UNUSABLE,
        Code.LEDGER_GONE,
        Code.STORE_UNUSABLE,
        Code.ACCESS_DENIED,
        Code.RAW_IDS,
        Code.DISK_FULL,
        Code.ENGINE_FAILED,
        Code.ENGINE_MISSING,
        Code.ENGINE_UNREACHABLE,
        Code.STORAGE_CLOCK,
        Code.STORAGE_CREDENTIALS,
        Code.STORAGE_DENIED,
        Code.STORAGE_MISSING,
        Code.STORAGE_UNREACHABLE,
        Code.STORAGE_UNSUITABLE,
    }
)
"""What goes wrong whichever day is done."""

_MOST_TRIES = 4
"""A chunk that meets other writers in a worker: what it waits for them is the time that the other chunks take."""


@dataclass
class _Doing:
    """The chunks of one step.

    Args:
        flow: The run.
        step: The step.
        pending: Partition -> fingerprint.
        inputs: Partition -> its inputs.
        fence: The right to write.
        queue_s: The seconds waited for it: the first attempt tells them.
        attempt: Does one chunk.
        retry: Of a step that is tried again: what its attempts tell of that.
    """

    flow: Flow
    step: Step
    pending: Mapping[str, str]
    inputs: Mapping[str, dict[str, str]]
    fence: Fence
    queue_s: float
    attempt: Attempt
    retry: Mapping[str, Any]
    failed: dict[str, EndcapError] = field(default_factory=dict)
    reports: list[StepReport] = field(default_factory=list)

    def one_after_the_other(self, chunks: list[list[str]]) -> None:
        """Do chunks in this process."""
        left = list(chunks)
        while left:
            chunk = left.pop(0)
            try:
                lease = (self.fence, self._waited_s())
                report = self.attempt(self.flow, self.step, *self._asked(chunk), lease, retry=self.retry)
                self.reports.append(report)
            except Exception as error:  # noqa: BLE001 - what no day is guilty of is raised again
                left = [*self.after_failure(chunk, error), *left]

    def in_workers(self, chunks: list[list[str]]) -> None:
        """Do chunks in processes of their own."""
        workers = self.flow.workers
        tries: dict[tuple[str, ...], int] = {}
        assert workers is not None

        def ask(chunk: list[str], retry: Mapping[str, Any]) -> None:
            lease = (self.fence, self._waited_s())
            workers.ask(self.flow, self.step, lease, *self._asked(chunk), retry=retry)

        try:
            for chunk in chunks:
                ask(chunk, self.retry)
            for chunk, answer in workers.answers():
                if isinstance(answer, StepReport):
                    self.reports.append(answer)
                    continue
                again = tries[tuple(chunk)] = tries.get(tuple(chunk), 0) + 1
                because = why_again(answer)
                if because and again < _MOST_TRIES:
                    ask(chunk, {"number": again + 1, "because": because, "waited_s": 0.0})
                    continue
                for part in self.after_failure(chunk, answer):
                    ask(part, self.retry)
        except BaseException:
            workers.drop()
            raise

    def after_failure(self, chunk: list[str], error: Exception) -> list[list[str]]:
        """Return the chunks to be done in the place of one that failed; a single partition is noted as failed."""
        is_nobodys = isinstance(error, OSError) or getattr(error, "code", None) in _NOBODYS
        is_nobodys = is_nobodys or is_disk_full(error)
        if self.flow.trouble is None or is_nobodys or why_again(error):
            raise error
        if len(chunk) > 1:
            return halves(chunk) if self.step.by_day else [[each] for each in chunk]
        self.failed[chunk[0]] = error if isinstance(error, EndcapError) else fault_of(self.step, chunk[0], error)
        return []

    def _waited_s(self) -> float:
        """Return the seconds waited for the lease, once."""
        waited_s, self.queue_s = self.queue_s, 0.0
        return waited_s

    def _asked(self, chunk: list[str]) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        """Return fingerprints and inputs of a chunk.

        A day that looks back on one that failed is done with what is there, and stays pending for the next run.
        """
        looks_back = self.step.in_order
        marks = {
            each: "" if looks_back and is_day(each) and next_day(each, -1) in self.failed else self.pending[each]
            for each in chunk
        }
        return marks, {each: self.inputs[each] for each in chunk}


def do_chunks(  # noqa: PLR0913, PLR0917 - what is done, from what, under which right
    flow: Flow,
    step: Step,
    pending: Mapping[str, str],
    inputs: Mapping[str, dict[str, str]],
    lease: tuple[Fence, float],
    attempt: Attempt,
    retry: Mapping[str, Any] = MappingProxyType({}),
) -> StepReport:
    """Do what is pending of a step.

    Args:
        flow: The run.
        step: The step.
        pending: Partition -> fingerprint.
        inputs: Partition -> its inputs.
        lease: The right to write, and the seconds waited for it.
        attempt: Does one chunk.
        retry: Of a step that is tried again: what its attempts tell of that.

    Returns:
        One report of all chunks; state `failed` where partitions failed and the run keeps its trouble.

    Raises:
        EndcapError: A chunk failed in a run that ends then, or for a reason that no day is guilty of.
    """
    doing = _Doing(flow, step, pending, inputs, *lease, attempt, retry)
    if not step.by_day:
        doing.one_after_the_other([sorted(pending)])
    else:
        sizes = Sizes(flow)
        rows = {each: sizes.held(step, each, inputs[each]) for each in pending}
        parallel = 1 if step.in_order or flow.workers is None else flow.workers.num
        chunks = cut(rows, rows_at_once=flow.shop.config.engine.rows_at_once, parallel=parallel)
        if parallel > 1 and len(chunks) > 1:
            doing.in_workers(chunks)
        else:
            doing.one_after_the_other(chunks)
    if flow.trouble is not None:
        doing.failed |= flow.left_out.get(step.name, {})
        for partition, error in doing.failed.items():
            flow.trouble.fail(step, partition, error)
    return _together(step, doing.reports, num_failed=len(doing.failed))


def _together(step: Step, reports: list[StepReport], *, num_failed: int) -> StepReport:
    if len(reports) == 1 and not num_failed:
        return reports[0]
    notes = [each.note for each in reports if each.note]
    if num_failed:
        notes.append(f"{num_failed} partitions failed")
    return StepReport(
        step.name,
        "failed" if num_failed else "done",
        partitions=sum(each.partitions for each in reports),
        seconds=sum(each.seconds for each in reports),
        rows=sum(each.rows for each in reports),
        note="; ".join(dict.fromkeys(notes)),
    )


def fault_of(step: Step, partitions: str, error: Exception) -> EndcapError:
    """Return a fault as an error that may be told: its own words may hold a person's id."""
    return DataError(
        f"a fault of the step itself ({type(error).__name__})",
        where=f"step {step.name}, {partitions}",
        fix="run the command again; if it stays, look with `endcap show runs` and report it",
        code=Code.INTERNAL,
    )
