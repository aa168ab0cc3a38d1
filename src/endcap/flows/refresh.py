"""The daily refresh: every step of the STEPS table in order, through a day."""

from dataclasses import dataclass
from pathlib import Path

from endcap.core.clock import Clock, day_of, system_clock
from endcap.core.errors import Code, DataError, ModelError, UsageError, near
from endcap.core.tables import EVENTS, TABLES
from endcap.flows.compact import clean_dead_attempts, compact_where_needed
from endcap.flows.flow import Flow, Progress, Step, StepReport
from endcap.flows.retention import vacuum_when_due
from endcap.flows.room import check_room_for_days
from endcap.flows.run_manifest import write_run_manifest
from endcap.flows.runner import run_steps
from endcap.flows.shop import find_shop
from endcap.flows.source_schemas import refused_source
from endcap.flows.steps import FIRST_STEP, STEPS
from endcap.flows.tidy import tidy
from endcap.flows.tracking import is_tracked
from endcap.flows.wiring.batch import open_flow
from endcap.governance.access import Action, require

__all__ = ["KEEPING_MODELS", "Refreshed", "forget_lost_tables", "last_day", "refresh"]

_OF_FITS = ("train", "evaluate", "track")

KEEPING_MODELS = tuple(dict.fromkeys(step.verb for step in STEPS if step.verb not in _OF_FITS))
"""The verbs of a refresh that fits no model: those that are there take the catalogue's new items in."""


@dataclass(frozen=True)
class Refreshed:
    """What a refresh came to.

    Args:
        run_id: Id of the run in the ledger.
        through: Last day that is in.
        bundle_id: The bundle in force afterwards; "" if there is none yet.
        steps: How each step went.
        held_back: The bundle that was made last, where it is not in force: a backfill has held it back, or somebody
            went back to another one; "" for none.
    """

    run_id: str
    through: str
    bundle_id: str
    steps: list[StepReport]
    held_back: str = ""


def refresh(
    shop: Path,
    *,
    through: str = "",
    verbs: tuple[str, ...] | None = None,
    again: tuple[str, ...] = (),
    progress: Progress = lambda _report: None,
    clock: Clock = system_clock,
) -> Refreshed:
    """Bring a shop up to date.

    Args:
        shop: The shop's folder.
        through: Last day, `YYYY-MM-DD`; "" for the last day that has data.
        verbs: Run the steps of these verbs only; None runs all.
        again: Steps to be done even if nothing changed.
        progress: Is told how each step goes.
        clock: The clock.

    Raises:
        EndcapError: A step failed; what was in force before it stays in force.
        ConfigError: Fits are to be mirrored to MLflow, and it is not installed (TRACKING_MISSING).
        SourceError: Files of some days cannot be read (SOURCE_COLUMN, SOURCE_UNREADABLE) or hold nothing
            (SOURCE_EMPTY_DAY): these days are as they were, all else is done.
        DataError: Most of some days is bad (TOO_MANY_BAD_ROWS): likewise.
        ModelError: A bundle of models that are kept is wanted, and none has been fitted.
    """
    redone = [_step(name) for name in again]
    opened = find_shop(shop)
    with open_flow(opened, through=through, progress=progress, clock=clock) as flow:
        require(flow.actor, Action.SHOP_READ, opened.resource("shop"), audit=flow.ledger.audit, at_us=flow.now_us)
        flow.check_stores()
        if flow.make_tracking and is_tracked(flow) and (verbs is None or "track" in verbs):
            flow.make_tracking()  # what is missing for it is told before anything is fitted
        if verbs is None or "bundle" in verbs:  # what is found broken is made again in this run
            flow.bundles.confirm()
        if verbs is not None and "bundle" in verbs and "train" not in verbs and not flow.made_of_models("train"):
            raise _no_models(flow)
        for step in redone:
            named = opened.resource(f"step/{step.name}")
            require(flow.actor, step.action, named, audit=flow.ledger.audit, at_us=flow.now_us)
            flow.ledger.forget(step.name)
        flow.again = frozenset(again)
        outcome = "failed"
        try:
            reports = _run(flow, verbs)
            outcome = "done"
        finally:
            write_run_manifest(flow, outcome=outcome)
        try:
            tidy(flow)
            if done := {report.step for report in reports if report.state == "done"}:
                written = {table.name: table for step in STEPS if step.name in done for table in step.writes}
                clean_dead_attempts(flow, written.values())
                compact_where_needed(flow, written.values())
                vacuum_when_due(flow)
        finally:
            has_scanned = any(report.step == FIRST_STEP for report in reports)
            if has_scanned and (refused := refused_source(flow, through)):
                raise refused  # last: all that does not need these files is done
        in_force, made = opened.bundle_in_force(), flow.ledger.outputs("bundle").get("", {}).get("bundle_id", "")
        return Refreshed(flow.run_id, flow.through, in_force, reports, made if made != in_force else "")


def _no_models(flow: Flow) -> ModelError:
    return ModelError(
        "no model has been fitted yet, so none can be kept",
        where=str(flow.shop.models),
        fix="run `endcap refresh SHOP` once without --keep-models",
        code=Code.MODEL_NOT_FITTED,
    )


def _step(name: str) -> Step:
    """Return the step of a name.

    Raises:
        UsageError: There is none.
    """
    steps = {step.name: step for step in STEPS}
    if name not in steps:
        raise UsageError(
            f"there is no step '{name}'; {near(name, steps)}",
            where="--again",
            fix="name one of the steps of `endcap show runs`",
            code=Code.USAGE,
        )
    return steps[name]


def _run(flow: Flow, verbs: tuple[str, ...] | None) -> list[StepReport]:
    """Run the steps of some verbs, of all where none is named; `FIRST_STEP` learns which day is the last."""
    forget_lost_tables(flow)
    wanted = [step for step in STEPS if (verbs is None or step.verb in verbs) and step.is_wanted(flow)]
    names = [step.name for step in STEPS]
    at = names.index(FIRST_STEP)
    reports = run_steps(flow, [step for step in wanted if step.name in names[:at]])
    if verbs is None:
        check_room_for_days(flow, STEPS[at])
    reports += run_steps(flow, [step for step in wanted if step.name == FIRST_STEP])
    flow.through = last_day(flow)
    return reports + run_steps(flow, [step for step in wanted if step.name not in names[: at + 1]])


def forget_lost_tables(flow: Flow) -> None:
    """Have a table made again whose folder is gone: what the ledger says of it is no longer true."""
    for table in TABLES.values():
        held_rows = any(part.rows for part in flow.ledger.parts(table.name).values())
        if held_rows and flow.tables.version(table) < 0:
            flow.ledger.lose(table.name, [step.name for step in STEPS if table in step.writes])


def last_day(flow: Flow) -> str:
    """Return the last day of the run: the one asked for, or the last one with events that is not ahead of the clock.

    Raises:
        DataError: No event is there, or none up to the day asked for, or that day lies behind the last one with events
            (DAY_NOT_READY).
    """
    days = flow.days(EVENTS)
    if not days and (refused := refused_source(flow, flow.through)):
        raise refused
    if days and not flow.through:
        return max((day for day in days if day <= day_of(flow.now_us)), default=days[0])
    known = sorted(day for day, part in flow.ledger.parts(EVENTS.name).items() if part.rows)
    if days and flow.through <= known[-1]:
        return flow.through
    end = "through" if not days else "as late as"
    raise DataError(
        f"there are no events {end} {flow.through}" if flow.through else "no events have been ingested",
        where=f"table events, which has {f'{known[0]} to {known[-1]}' if known else 'no day yet'}",
        fix="run `endcap refresh`, or name a day with --through that the export holds",
        code=Code.DAY_NOT_READY,
    )
