"""`endcap backfill`."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from endcap.cli.backfill_text import plan_text, result_text
from endcap.cli.progress import told
from endcap.cli.replay_text import replay_plan_text, replay_text
from endcap.cli.stepping import checked_day
from endcap.core.errors import Code, UsageError
from endcap.flows.backfill import Backfilled, backfill
from endcap.flows.replay import replay

__all__ = ["backfill_verb"]


def backfill_verb(  # noqa: PLR0913 - a command has as many arguments as it has choices
    shop: Path,
    *,
    first: Annotated[str, Parameter(name="--from")] = "",
    last: Annotated[str, Parameter(name="--to")] = "",
    as_of: str = "",
    steps: str = "",
    parallel: Annotated[int, Parameter(validator=Number(gte=1, lte=256))] = 1,
    dry_run: bool = False,
    json_wanted: Annotated[bool, Parameter(name="--json")] = False,
) -> int:
    """Do days of the past again after settings, code or files changed; then make a new bundle and measure it.

    The plan is told first: which days of which steps, why, and about what they cost. Only what is pending is done, and
    days outside only where what they are made from has changed; all else is left to the next `endcap refresh`. Killed
    at any moment, the same command goes on where it was. A day that fails does not stop the others; it is named at the
    end (exit code 1). The new bundle is set beside the one in force on sessions that neither has learnt from, and is
    not put in force: `endcap promote SHOP BUNDLE` does that.

    With --as-of it is a replay: what a past run did is done again from its manifest, with its settings, its seed and
    the tables as they were, below SHOP/replays, and compared with what it was (exit code 1 where anything differs). The
    shop stays as it is.

    Args:
        shop: The shop's folder.
        first: First day, YYYY-MM-DD.
        last: Last day, YYYY-MM-DD.
        as_of: Id of a run, or of a bundle that it made: replay it. Goes with --dry-run and --json alone.
        steps: Names of steps or verbs, with commas between; by default all but pull and monitor.
        parallel: Processes that work at once, for steps whose days do not look back on each other.
        dry_run: End with the plan, with nothing changed.
        json_wanted: Print one JSON object and nothing else.
    """
    if as_of:
        _refuse_days(first=first, last=last, steps=steps, parallel=parallel)
        return _replay(shop, as_of, dry_run=dry_run, json_wanted=json_wanted)
    for day, flag in ((first, "--from"), (last, "--to")):
        if not day:
            raise UsageError("a backfill needs its first and its last day", where=flag,
                             fix="endcap backfill SHOP --from 2016-09-10 --to 2016-09-30", code=Code.USAGE)  # fmt: skip
        checked_day(day, where=flag)
    with told(quiet=json_wanted) as progress:
        result = backfill(
            shop, first=first, last=last, steps=[name for name in steps.replace(" ", "").split(",") if name],
            parallel=parallel, is_dry_run=dry_run, progress=progress,
            planned=lambda plan: None if json_wanted else print(plan_text(plan), flush=True),
        )  # fmt: skip
    if json_wanted:
        print(json.dumps(_plain(result)))
    elif not dry_run:
        out, err = result_text(result, shop=str(shop))
        print(out)
        print(err, file=sys.stderr, end="")
    return 1 if result.failed else 0


def _refuse_days(*, first: str, last: str, steps: str, parallel: int) -> None:
    given = {"--from": first, "--to": last, "--steps": steps, "--parallel": parallel > 1}
    if named := [flag for flag, value in given.items() if value]:
        raise UsageError(
            f"a replay does what the run did, {' and '.join(named)} cannot be chosen",
            where="--as-of",
            fix="endcap backfill SHOP --as-of RUN, or a backfill of days without --as-of",
            code=Code.USAGE,
        )


def _replay(shop: Path, name: str, *, dry_run: bool, json_wanted: bool) -> int:
    with told(quiet=json_wanted) as progress:
        result = replay(
            shop, name, is_dry_run=dry_run, progress=progress,
            planned=lambda plan: None if json_wanted else print(replay_plan_text(plan), flush=True),
        )  # fmt: skip
    if json_wanted:
        print(json.dumps(result.to_plain()))
    elif not dry_run:
        print(replay_text(result))
    return 1 if result.verdict and not result.verdict.is_equal else 0


def _plain(result: Backfilled) -> dict[str, Any]:
    return {
        "run_id": result.run_id,
        "plan": result.plan.to_plain(),
        "steps": [asdict(report) for report in result.steps],
        "failed": {
            step: {day: {"code": error.code.value, "what": error.what, "where": error.where, "fix": error.fix}
                   for day, error in days.items()}
            for step, days in result.failed.items()
        },
        "waiting": {step: dict(days) for step, days in result.waiting.items()},
        "in_force": result.in_force,
        "built": result.built,
        "regression": result.regression.to_plain() if result.regression else None,
    }  # fmt: skip
