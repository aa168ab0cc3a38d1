"""What a backfill would do: which partitions of which steps, why, and about what it costs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from endcap.core.tables import TABLES
from endcap.flows.chunks import Sizes, is_day
from endcap.flows.flow import Flow, Pending, Step
from endcap.flows.foresight import ForesightLedger, is_foreseen
from endcap.flows.reasons import Reasons, is_upstream
from endcap.flows.refresh import last_day
from endcap.flows.runner import pending_of
from endcap.flows.steps import FIRST_STEP, STEPS

__all__ = ["BackfillPlan", "PlannedStep", "Span", "look_ahead"]


@dataclass(frozen=True)
class Span:
    """Which partitions a backfill does: the days asked for, and later those whose inputs it changes.

    A partition that is no day (a model, the bundle, the table of items) is done whenever it is pending. A day outside
    is done where it is made from tables, and they have changed or it is new and made from a day within; so a day
    outside whose settings alone changed is left to the next refresh, and so is every day outside of a step that reads
    files.

    Args:
        first: First day.
        last: Last day.
    """

    first: str
    last: str

    def __call__(self, flow: Flow, step: Step, pending: Pending) -> Collection[str]:
        """Return the partitions to be done; those that need a failed one wait, and are noted as waiting."""
        reasons = Reasons(flow)
        chosen = [each for each, inputs in pending.items() if self._is_wanted(step, each, inputs, reasons)]
        if flow.trouble is None or not flow.trouble.failed:
            return chosen
        return [each for each in chosen if not _waits(flow, step, each, pending[each])]

    def holds(self, day: str) -> bool:
        """Whether a day is one of those asked for."""
        return self.first <= day <= self.last

    def _is_wanted(self, step: Step, partition: str, inputs: Mapping[str, str], reasons: Reasons) -> bool:
        if not is_day(partition) or self.holds(partition):
            return True
        upstream = [name for name in inputs if is_upstream(name)]
        if not upstream or not reasons.have_changed(step, partition, inputs):
            return False
        return reasons.was_done(step, partition) or any(self.holds(name.split("/", 1)[1]) for name in upstream)


def _waits(flow: Flow, step: Step, partition: str, inputs: Mapping[str, str]) -> bool:
    trouble = flow.trouble
    assert trouble is not None
    if partition in trouble.failed.get(step.name, {}):
        return False
    cause = next((trouble.tables[name] for name in inputs if name in trouble.tables), "")
    if not cause and not step.by_day:  # what is made of all days is not made of all but some
        name, days = next(iter(trouble.failed.items()))
        cause = f"{name} {next(iter(days))}"
    if cause:
        trouble.wait(step, partition, cause)
    return bool(cause)


@dataclass(frozen=True)
class PlannedStep:
    """What a backfill would do of one step.

    Args:
        step: Its name.
        partitions: Partition -> why, ascending.
        follows: Those that are done only if what is made before them has other content than now.
        rows: Estimated rows of one pass over what they are made from; 0 where nothing tells.
        cpu_s: Estimated CPU seconds; None where the step was never done.
        moved_bytes: Estimated bytes read and written; likewise.
        left: How many other partitions are pending and left to the next refresh.
    """

    step: str
    partitions: Mapping[str, str]
    follows: Sequence[str]
    rows: int
    cpu_s: float | None
    moved_bytes: int | None
    left: int


@dataclass(frozen=True)
class BackfillPlan:
    """What a backfill would do.

    Args:
        first: First day asked for.
        last: Last day asked for.
        through: Last day with data.
        steps: The steps that have something to do, in order.
    """

    first: str
    last: str
    through: str
    steps: Sequence[PlannedStep]

    @property
    def left(self) -> Mapping[str, int]:
        """Step -> pending partitions that are left to the next refresh."""
        return {each.step: each.left for each in self.steps if each.left}

    def to_plain(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return asdict(self)


def look_ahead(flow: Flow, span: Span, steps: Sequence[Step]) -> BackfillPlan:
    """Plan without changing anything; for a step after the first, as if those before it had been done.

    Raises:
        EndcapError: A step cannot be planned, such as for a source folder that is gone.
    """
    lost = frozenset(
        table.name
        for table in TABLES.values()
        if any(part.rows for part in flow.ledger.parts(table.name).values()) and flow.tables.version(table) < 0
    )
    lost_steps = frozenset(step.name for step in STEPS if lost & {table.name for table in step.writes})
    ledger = ForesightLedger(flow.ledger.catalog, flow.ledger.scope, flow.ledger.retry, lost, lost_steps)
    ahead = replace(flow, ledger=ledger, choose=None, trouble=None)
    names = [step.name for step in STEPS]
    try:
        planned = []
        for step in steps:
            if not ahead.through and names.index(step.name) > names.index(FIRST_STEP):
                ahead.through = last_day(ahead)
            planned.append(_planned(ahead, ledger, step, span))
        through = ahead.through or last_day(ahead)
        return BackfillPlan(span.first, span.last, through, [each for each in planned if each.partitions or each.left])
    finally:
        if flow._engine is None:  # noqa: SLF001 - what the copy opened is closed here
            ahead.close()


def _planned(ahead: Flow, ledger: ForesightLedger, step: Step, span: Span) -> PlannedStep:
    _, pending = pending_of(ahead, step)
    chosen, reasons = sorted(span(ahead, step, pending)), Reasons(ahead)
    why = {each: "; ".join(reasons.of(step, each, pending[each])) for each in chosen}
    sizes, inputs = Sizes(ahead), {each: pending[each] for each in chosen}
    rows = sum(sizes.rows(step, each, inputs[each]) for each in chosen)
    cpu_s, moved_bytes = _estimated(ahead, step, rows_in=sizes.rows_in(inputs), num=len(chosen))
    follows = [each for each in chosen if why[each].startswith("follows") and is_foreseen(pending[each])]
    ledger.foresee(step, chosen)
    left = len(pending) - len(chosen)
    return PlannedStep(step.name, why, follows, rows, cpu_s, moved_bytes, left)


def _estimated(ahead: Flow, step: Step, *, rows_in: int, num: int) -> tuple[float | None, int | None]:
    """Estimate CPU seconds and bytes from what the last attempts cost: a row, or a partition where it has no rows."""
    if not num:
        return 0.0, 0
    past = ahead.ledger.done_attempts(step.name)
    if not past:
        return None, None
    cpu_s = sum(each["cpu_s"] or 0.0 for each in past)
    moved = sum((each["bytes_read"] or 0) + (each["bytes_written"] or 0) for each in past)
    rows = sum(each["rows_in"] or 0 for each in past)
    share = rows_in / rows if rows and rows_in else num / sum(len(each["partitions"]) for each in past)
    return round(cpu_s * share, 3), int(moved * share)
