"""Backfills: days of the past done again after settings, code or files changed; then a new bundle, not put in force.

The plan comes first. Then what is pending of the days asked for is done, in several processes where days do not look
back on each other; what fails does not stop the rest. When all is done the models are fitted, the indexes and a bundle
made, and the bundle is set beside the one in force (`regression`). Whether it goes in force is for a person: `endcap
promote`.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from endcap.core.clock import Clock, system_clock
from endcap.core.errors import Code, DataError, EndcapError, UsageError, near
from endcap.flows.backfill_plan import BackfillPlan, Span, look_ahead
from endcap.flows.flow import Flow, Progress, Step, StepReport, Trouble
from endcap.flows.refresh import forget_lost_tables, last_day
from endcap.flows.regression import Regression, regression
from endcap.flows.run_manifest import write_run_manifest
from endcap.flows.runner import run_steps
from endcap.flows.shop import find_shop
from endcap.flows.source_schemas import refused_days, refused_source
from endcap.flows.steps import FIRST_STEP, STEPS
from endcap.flows.tidy import tidy
from endcap.flows.wiring.batch import open_flow
from endcap.flows.workers import Workers
from endcap.governance.access import Action, require

__all__ = ["Backfilled", "backfill", "steps_named"]

_LEFT_OUT = ("pull", "monitor", "track")
"""Steps that no backfill does: what is not pulled yet is no past, the monitor judges what is in force, and what was
fitted is mirrored by the next refresh."""


@dataclass(frozen=True)
class Backfilled:
    """What a backfill came to.

    Args:
        run_id: Id of the run.
        plan: What was to be done.
        steps: How each step went; none in a dry run.
        failed: Step -> partition -> why it failed.
        waiting: Step -> partition -> what it waits for.
        in_force: The bundle in force, as before; "" for none.
        built: The bundle that was made; "" where none was.
        regression: It beside the one in force; None where no bundle was to be made.
    """

    run_id: str
    plan: BackfillPlan
    steps: Sequence[StepReport] = ()
    failed: Mapping[str, Mapping[str, EndcapError]] = field(default_factory=dict)
    waiting: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    in_force: str = ""
    built: str = ""
    regression: Regression | None = None


def steps_named(names: Sequence[str]) -> list[Step]:
    """Return the steps of some names or verbs in order; all that a backfill does where none is named.

    Raises:
        UsageError: There is no such step in a backfill.
    """
    steps = [step for step in STEPS if step.name not in _LEFT_OUT]
    known = {name for step in steps for name in (step.name, step.verb)}
    for name in names:
        if name not in known:
            raise UsageError(
                f"a backfill has no step '{name}'; {near(name, known)}",
                where="--steps",
                fix=f"name some of: {', '.join(step.name for step in steps)}",
                code=Code.USAGE,
            )
    return [step for step in steps if not names or {step.name, step.verb} & {*names}]


def backfill(  # noqa: PLR0913 - each is a choice of the user's
    shop: Path,
    *,
    first: str,
    last: str,
    steps: Sequence[str] = (),
    parallel: int = 1,
    is_dry_run: bool = False,
    planned: Callable[[BackfillPlan], None] = lambda _plan: None,
    progress: Progress = lambda _report: None,
    clock: Clock = system_clock,
) -> Backfilled:
    """Do days of the past again, as far as they are pending.

    Args:
        shop: The shop's folder.
        first: First day, `YYYY-MM-DD`.
        last: Last day.
        steps: Names of steps or verbs; none for all.
        parallel: Processes for steps whose days do not look back on each other.
        is_dry_run: End with the plan; nothing is changed.
        planned: Is told the plan before anything is done.
        progress: Is told how each step goes.
        clock: The clock.

    Raises:
        UsageError: The days or the steps cannot be understood.
        EndcapError: Something failed that no single day is guilty of; what was done stays done.
    """
    if first > last:
        raise UsageError(
            f"{first} is later than {last}", where="--from", fix="name the earlier day first", code=Code.USAGE
        )
    wanted, span = steps_named(steps), Span(first, last)
    opened = find_shop(shop)
    if parallel > 1 and opened.config.engine.name == "spark":
        raise UsageError(
            f"{parallel} processes were asked for, and the engine is spark, which computes in parallel by itself",
            where="--parallel",
            fix='leave --parallel out, or set engine.name = "duckdb"',
            code=Code.USAGE,
        )
    with open_flow(opened, through="", progress=progress, clock=clock) as flow:
        require(flow.actor, Action.SHOP_READ, opened.resource("shop"), audit=flow.ledger.audit, at_us=flow.now_us)
        flow.holds_back = True
        plan = look_ahead(flow, span, wanted)
        planned(plan)
        if is_dry_run:
            return Backfilled(flow.run_id, plan, in_force=opened.bundle_in_force())
        flow.check_stores()
        flow.bundles.pull()
        flow.choose, flow.trouble = span, Trouble()
        outcome = "failed"
        try:
            with ExitStack() as stack:
                if parallel > 1:
                    flow.workers = stack.enter_context(Workers(opened.root, flow.ledger, parallel))
                reports = _run(flow, wanted, span)
            outcome = "failed" if flow.trouble.failed else "done"
        finally:
            write_run_manifest(flow, outcome=outcome)
        result = _told(flow, plan, reports)
        tidy(flow)
        return result


def _run(flow: Flow, wanted: Sequence[Step], span: Span) -> list[StepReport]:
    """Run steps in order; one that cannot even be planned because of what failed waits as a whole."""
    forget_lost_tables(flow)
    names = [step.name for step in STEPS]
    trouble, reports = flow.trouble, []
    assert trouble is not None
    for step in wanted:
        if not step.is_wanted(flow):
            continue
        try:
            if not flow.through and names.index(step.name) > names.index(FIRST_STEP):
                flow.through = last_day(flow)
            reports += run_steps(flow, [step])
            if step.name == FIRST_STEP:
                _note_refused(flow, step, trouble, span)
        except DataError as error:
            if error.code is not Code.DAY_NOT_READY or not trouble.failed:
                raise
            name, days = next(iter(trouble.failed.items()))
            trouble.wait(step, "", f"{name} {next(iter(days))}")
    flow.through = flow.through or last_day(flow)
    return reports


def _note_refused(flow: Flow, step: Step, trouble: Trouble, span: Span) -> None:
    """Count days whose files cannot be read as failed: their step leaves them out and does not even plan them."""
    days = [day for day in refused_days(flow, "") if span.first <= day <= span.last]
    error = refused_source(flow, "")
    for day in days:
        if error is not None and day not in trouble.failed.get(step.name, {}):
            trouble.fail(step, day, error)


def _told(flow: Flow, plan: BackfillPlan, reports: Sequence[StepReport]) -> Backfilled:
    trouble, in_force = flow.trouble, flow.shop.bundle_in_force()
    assert trouble is not None
    state = next((report.state for report in reports if report.step == "bundle"), "")
    has_bundle = state and not trouble.failed and not trouble.waiting
    built: str = flow.ledger.outputs("bundle").get("", {}).get("bundle_id", "") if has_bundle else ""
    verdict = regression(flow, built) if built and (state == "done" or built != in_force) else None
    return Backfilled(
        flow.run_id,
        plan,
        reports,
        trouble.failed,
        trouble.waiting,
        in_force,
        built if built != in_force else "",
        verdict,
    )
