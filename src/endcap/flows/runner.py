"""The runner: does what is pending of a step, under its lease, and writes the ledger.

What makes a run safe to kill: a table is replaced in one commit; before the commit the ledger forgets what the
partitions held and that they were done; after it the ledger learns what they hold now, and last the fingerprint. A run
that dies in between is done again.

Days are done in chunks under the step's one lease, each chunk an attempt of its own (`chunked`).
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import ibis

from endcap.core.contract import Table
from endcap.core.errors import Code, DataError, EndcapError
from endcap.core.tables import TABLES
from endcap.core.version import __version__
from endcap.engines.contracts import check_contract, under_contract
from endcap.engines.port import FileWriter
from endcap.flows.chunked import do_chunks
from endcap.flows.cost import Meter
from endcap.flows.fingerprint import code_digest, fingerprint, made_from
from endcap.flows.flow import Flow, Outcome, Step, StepReport
from endcap.flows.lease import held
from endcap.flows.ledger import AttemptStart, Part
from endcap.flows.left_out import told_left_out
from endcap.flows.retry import why_again
from endcap.governance.access import require
from endcap.stores.local_files import disk_full, is_disk_full, locked
from endcap.stores.tables import Fence

__all__ = ["attempt", "num_pending", "pending_of", "run_steps"]


_WAITED_S = 0.05
"""A shorter wait is none: the lease was free."""


def run_steps(flow: Flow, steps: Iterable[Step]) -> list[StepReport]:
    """Run steps in order, each only as far as it is pending.

    Returns:
        A report for each step.

    Raises:
        EndcapError: A step failed; the steps before it are done and stay in force.
    """
    return [_run_step(flow, step) for step in steps]


def num_pending(flow: Flow, step: Step) -> int:
    """Return how many partitions of a step are to be done, or done anew because what they are made from has changed."""
    return len(pending_of(flow, step)[0])


def _run_step(flow: Flow, step: Step) -> StepReport:
    meter = Meter()
    if step.name not in flow.again and not pending_of(flow, step)[0]:
        report = StepReport(step.name, "unchanged", seconds=meter.read().wall_s)
        flow.progress(report)
        return report
    require(
        flow.actor, step.action, flow.shop.resource(f"step/{step.name}"), audit=flow.ledger.audit, at_us=flow.now_us
    )

    def waiting(who: str) -> None:
        flow.progress(StepReport(step.name, "waiting", note=f"for {who}, which does this step"))

    catalog, name = flow.ledger.catalog, flow.ledger.lease_name(step.name)
    with held(catalog, name, wait_s=flow.wait_s, waiting=waiting, retry=flow.ledger.retry) as lease:
        if step.name in flow.again:  # once more: the runner that we waited for may have done it meanwhile
            flow.ledger.forget(step.name)
        done = _tries(flow, step, (lease.fence, lease.queue_s))
        if done is None and lease.queue_s >= _WAITED_S:
            nothing = flow.ledger.start(_begun(flow, step, {}, {}, lease.queue_s, {}), lease.fence)
            flow.ledger.stand_back(nothing, cost=meter.read())
    report = done or StepReport(step.name, "unchanged", seconds=meter.read().wall_s)
    flow.progress(report)
    return report


def _tries(flow: Flow, step: Step, lease: tuple[Fence, float]) -> StepReport | None:
    """Do what is pending of a step, and again by the policy of `flows.retry`; None where nothing is to be done."""
    waits = flow.ledger.retry.step.waits()
    retry: dict[str, Any] = {}
    while True:
        pending, inputs = pending_of(flow, step)  # again: while we waited, another runner may have done it
        if not pending:
            return None
        flow.progress(StepReport(step.name, "started", partitions=len(pending)))
        try:
            return do_chunks(flow, step, pending, inputs, lease, attempt, retry)
        except Exception as error:
            because = why_again(error) or _changed_meanwhile(flow, step, pending, error)
            wait_s = next(waits, None) if because else None
            if wait_s is None:
                raise
        note = f"{because}: again in {wait_s:.0f} s"
        flow.progress(StepReport(step.name, "again", note=note))
        flow.ledger.retry.wait(wait_s)
        retry = {"number": retry.get("number", 1) + 1, "because": because, "waited_s": wait_s}


def _changed_meanwhile(flow: Flow, step: Step, pending: Mapping[str, str], error: Exception) -> str:
    """Say whether another runner has changed what a failed attempt read: it may have read half of it."""
    if isinstance(error, EndcapError) and error.code in (Code.FENCED, Code.LEDGER_GONE):
        return ""
    try:
        wanted = pending_of(flow, step)[0]
    except EndcapError:
        return ""
    return "inputs-changed" if any(wanted.get(each, mark) != mark for each, mark in pending.items()) else ""


def pending_of(flow: Flow, step: Step) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Return partition -> fingerprint of what is to be done, and the inputs of these partitions.

    To be done is what has another fingerprint than when it was last done, and what was done and is gone; of these, what
    the run chooses.
    """
    settings = _settings(flow, step)
    code = code_digest(step.code)
    inputs = step.plan(flow)
    wanted = {
        partition: fingerprint(step.name, partition, inputs=named, settings=settings, code=code, seed=flow.seed)
        for partition, named in inputs.items()
    }
    done = flow.ledger.fingerprints(step.name)
    pending = {
        partition: mark
        for partition, mark in wanted.items()
        if done.get(partition) != mark or not step.is_there(flow, partition)
    }
    if flow.choose is not None:
        chosen = flow.choose(flow, step, {partition: inputs[partition] for partition in pending})
        pending = {partition: mark for partition, mark in pending.items() if partition in chosen}
    return pending, {partition: inputs[partition] for partition in pending}


def _settings(flow: Flow, step: Step) -> dict[str, Any]:
    return flow.shop.config.counted(*step.sections)


def attempt(
    flow: Flow,
    step: Step,
    pending: dict[str, str],
    inputs: dict[str, dict[str, str]],
    lease: tuple[Fence, float],
    *,
    retry: Mapping[str, Any] = MappingProxyType({}),
) -> StepReport:
    """Do partitions of a step in one attempt.

    Args:
        flow: The run.
        step: The step.
        pending: Partition -> fingerprint under which it will be done; "" for one that shall stay pending.
        inputs: What each is made from.
        lease: The right to write, and the seconds waited for it.
        retry: Of an attempt that follows a failed one: its number, why, and how long was waited.

    Raises:
        EndcapError: It failed; what was in force stays in force.
    """
    fence, queue_s = lease
    meter = Meter()
    started = _begun(flow, step, pending, inputs, 0.0 if retry else queue_s, retry)
    attempt_id = flow.ledger.start(started, fence)
    try:
        with _disk_told(step):
            read_versions = _versions_before(flow, step)
            outcome = step.run(flow, sorted(pending))
            done = [partition for partition in sorted(pending) if partition not in outcome.left_out]
            writing = _Writing(flow, outcome, fence, attempt_id, read_versions)
            try:
                written = {name: writing.write(name, outcome.partitions.get(name, done)) for name in outcome.tables}
            finally:
                outcome.release()
            flow.ledger.check_held(attempt_id)
            outcome.put_in_force()
    except BaseException as error:
        code = error.code.value if isinstance(error, EndcapError) else type(error).__name__
        if code == Code.LEDGER_GONE:
            raise  # it cannot be written now; the next holder of the lease marks the attempt as abandoned
        # The message of a foreign error may hold a user's id: the ledger keeps its type alone.
        told = str(error) if isinstance(error, EndcapError) else type(error).__name__
        flow.ledger.fail(attempt_id, code=code, error=told, cost=meter.read())
        raise
    rows_out = sum(each["rows"] for each in written.values())
    cost = meter.read()
    detail = outcome.detail | {"made_from": made_from(_settings(flow, step), inputs)}
    if retry:
        detail = detail | {"retry": dict(retry)}
    if outcome.left_out:
        detail = detail | {"left_out": {each: error.code.value for each, error in outcome.left_out.items()}}
    ending = {"outputs": written, "rows_in": _rows_in(flow, inputs), "rows_out": rows_out, "detail": detail}
    flow.ledger.finish(attempt_id, output=outcome.output, left_out=outcome.left_out, ending=ending, cost=cost)
    flow.left_out.setdefault(step.name, {}).update(outcome.left_out)
    note = "; ".join(filter(None, [outcome.note, told_left_out(outcome.left_out)]))
    return StepReport(step.name, "done", partitions=len(done), seconds=cost.wall_s, rows=rows_out, note=note)


@contextmanager
def _disk_told(step: Step) -> Iterator[None]:
    """Tell a full disk as ours: delta-rs, DuckDB and others wrap it in errors of their own."""
    try:
        yield
    except Exception as error:
        if isinstance(error, EndcapError) or not is_disk_full(error):
            raise
        raise disk_full(error, where=f"step {step.name}") from error


def _versions_before(flow: Flow, step: Step) -> dict[str, int]:
    """Return the versions of the tables that the step writes, where executors will write the files of them.

    Noted before the first input is read: files are adopted only by partitions that still hold what they held then.
    """
    if not step.writes or "://" in flow.tables.folder(step.writes[0]) or not isinstance(flow.engine, FileWriter):
        return {}
    return {table.name: flow.tables.version(table) for table in step.writes}


def _begun(
    flow: Flow,
    step: Step,
    pending: Mapping[str, str],
    inputs: Mapping[str, Mapping[str, str]],
    queue_s: float,
    retry: Mapping[str, Any],
) -> AttemptStart:
    return AttemptStart(
        run_id=flow.run_id,
        actor=str(flow.actor),
        step=step.name,
        fingerprints=pending,
        inputs={name: digest for named in inputs.values() for name, digest in named.items()},
        config_digest=flow.shop.config.digest(),
        code_digest=code_digest(step.code),
        code_version=__version__,
        queue_s=queue_s,
        retry=retry,
    )


@dataclass(frozen=True)
class _Writing:
    """Writes the tables of an outcome.

    Args:
        flow: The run.
        outcome: What the step has made.
        fence: The right to write.
        attempt_id: The attempt in the ledger.
        read_versions: Table -> its version before the first input was read, where executors write its files.
    """

    flow: Flow
    outcome: Outcome
    fence: Fence
    attempt_id: int
    read_versions: Mapping[str, int]

    def write(self, name: str, pending: list[str]) -> dict[str, Any]:
        """Write those pending partitions of a table whose content is new; return what the ledger shall say of it."""
        engine, table = self.flow.engine, TABLES[name]
        result = engine.materialise(under_contract(self.outcome.tables[name], table))
        try:
            check_contract(engine, result, table)
            if name in self.outcome.checks:
                self.outcome.checks[name](result)
            found = engine.partition_digests(result, table)
            partitions = pending if table.partition else [""]
            _check_partitions(table, found, partitions)
            held_now = self.flow.ledger.parts(name)
            changed = [each for each in partitions if _is_changed(held_now.get(each), found.get(each))]
            version = self._replace(table, result, changed, found) if changed else self.flow.tables.version(table)
            rows_written = sum(found[each]["rows"] for each in changed if each in found)
            schema = self.flow.tables.schema_version(table)
            # Of all that was done, also where nothing changed: a replay is compared with it.
            digests = {each: _part(found.get(each), version).digest for each in partitions}
            return {"version": version, "partitions": changed, "rows": rows_written, "schema": schema,
                    "digests": digests}  # fmt: skip
        finally:
            engine.drop(result)

    def _replace(self, table: Table, result: ibis.Table, changed: list[str], found: Mapping[str, Any]) -> int:
        """Put the rows of changed partitions in the place of the old ones; return the table's new version."""
        ledger, engine = self.flow.ledger, self.flow.engine
        ledger.writing(self.attempt_id, table.name, changed)
        wanted = result.filter(result[table.partition].isin(changed)) if table.partition else result
        order = [table.partition, *table.key] if table.partition else list(table.key)
        if table.name in self.read_versions:
            version = self._adopt(table, wanted.order_by(order), changed)
        else:
            # Closed before the rows are let go of, also where writing fails: an open stream holds them.
            with closing(engine.stream(wanted.order_by(order))) as rows, self._alone(table):
                version = self.flow.tables.replace(table, changed, rows, fence=self.fence)
        ledger.wrote(
            table.name, {each: _part(found.get(each), version) for each in changed}, attempt_id=self.attempt_id
        )
        return version

    def _adopt(self, table: Table, wanted: ibis.Table, changed: list[str]) -> int:
        """Have the engine's executors write the files, below a name that is used once, and commit them; see ADR 11."""
        engine, tables = self.flow.engine, self.flow.tables
        assert isinstance(engine, FileWriter), "else no version was noted"
        name = f"{self.flow.run_id}-{self.attempt_id}"
        engine.write_files(wanted, table, f"{tables.folder(table)}/attempt-{name}")
        files = tables.written(table, name)
        read_version = self.read_versions[table.name]
        return tables.adopt(table, changed, files, read_version=read_version, fence=self.fence)

    def _alone(self, table: Table) -> AbstractContextManager[None]:
        """Have workers commit one after the other; never behind a holder that was taken over, which may be asleep.

        Two commits to one Delta table under one fence conflict even where their partitions differ: the fence is one
        application id to delta-rs (1.6 on 2026-11-27: of six at once one was kept).
        """
        if not self.flow.shares_lease:
            return nullcontext()
        return locked(self.flow.shop.scratch / "locks" / f"{table.name}-{self.fence.token}")


def _check_partitions(table: Table, found: Mapping[str, Any], pending: list[str]) -> None:
    if others := sorted(set(found) - set(pending)):
        raise DataError(
            f"a step made rows of {len(others)} partitions that it was not asked for, {others[0]} among them",
            where=f"table {table.name}",
            fix="nothing was written; report this with the output of `endcap show runs`",
            code=Code.CONTRACT_BROKEN,
        )


def _is_changed(held_now: Part | None, found: Mapping[str, Any] | None) -> bool:
    if held_now is None:
        return found is not None
    return held_now.digest != (found["digest"] if found else _EMPTY)


_EMPTY = "empty"
"""Digest of a partition that was written without rows."""


def _part(found: Mapping[str, Any] | None, version: int) -> Part:
    return Part(found["digest"], found["rows"], version) if found else Part(_EMPTY, 0, version)


def _rows_in(flow: Flow, inputs: Mapping[str, Mapping[str, str]]) -> int:
    """Count the rows of all table partitions that the attempt was given."""
    names = {name for named in inputs.values() for name in named if "/" in name}
    parts = {table: flow.ledger.parts(table) for table in {name.split("/")[0] for name in names}}
    return sum(parts[table][day].rows for table, day in (name.split("/", 1) for name in names) if day in parts[table])
