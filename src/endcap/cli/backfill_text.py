"""A backfill as text: its plan as a table with the reasons, and what it came to."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from endcap.cli.table import table
from endcap.core.clock import next_day
from endcap.flows.backfill import Backfilled
from endcap.flows.backfill_plan import BackfillPlan, PlannedStep
from endcap.flows.chunks import is_day

__all__ = ["plan_text", "result_text", "spans_told"]

_SHOWN = 3


def plan_text(plan: BackfillPlan) -> str:
    """Return a line for each step and reason, the totals, and what is left to the next refresh."""
    wanted = [step for step in plan.steps if step.partitions]
    lines = [f"backfill of {plan.first} to {plan.last}; data through {plan.through}"]
    if not wanted:
        lines.append(
            "nothing is pending: everything that these days need is as the settings, the code and the files say"
        )
    else:
        lines += [
            "",
            table(["step", "partitions", "CPU s", "MB", "why"], [row for step in wanted for row in _rows(step)]),
        ]
        lines += ["", _totals(wanted)]
    if plan.left:
        left = ", ".join(f"{step} {num:,}" for step, num in plan.left.items())
        lines.append(f"left to the next `endcap refresh`, pending outside these days: {left}")
    return "\n".join(lines)


def _rows(step: PlannedStep) -> list[list[str | None]]:
    """Return a row for each reason of a step; its cost stands in the first."""
    by_reason: dict[str, list[str]] = {}
    for partition, why in step.partitions.items():
        by_reason.setdefault(_short(why), []).append(partition)
    cost = [_told(step.cpu_s), _told(None if step.moved_bytes is None else step.moved_bytes / 1e6)]
    return [
        [step.step if at == 0 else "", spans_told(partitions), *(cost if at == 0 else ["", ""]), why]
        for at, (why, partitions) in enumerate(by_reason.items())
    ]


def _short(why: str) -> str:
    """Put reasons that differ only in what they name into one: each day follows another one."""
    parts = why.split("; ")
    return "; ".join(
        "follows if what it is made from changes" if part.startswith("follows") else part for part in parts
    )


def _told(value: float | None) -> str:
    return "no estimate" if value is None else f"{value:,.1f}"


def _totals(steps: Sequence[PlannedStep]) -> str:
    known = [step for step in steps if step.cpu_s is not None]
    cpu_s = sum(step.cpu_s or 0.0 for step in known)
    moved = sum(step.moved_bytes or 0 for step in known)
    follows = sum(len(step.follows) for step in steps)
    total = sum(len(step.partitions) for step in steps)
    unknown = [step.step for step in steps if step.cpu_s is None]
    told = f"at most {total:,} partitions, {follows:,} of them only if what is made before them changes; "
    told += f"about {cpu_s:,.1f} CPU seconds and {moved / 1e6:,.1f} MB read and written, as the last attempts cost"
    return told + (f"; no estimate for {', '.join(unknown)}, which were never done" if unknown else "")


def spans_told(partitions: Sequence[str]) -> str:
    """Return partitions with days in a row put together.

    >>> spans_told(["2026-01-01", "2026-01-02", "2026-01-03", "2026-02-01"])
    '2026-01-01..2026-01-03, 2026-02-01'
    """
    spans: list[list[str]] = []
    for at, day in enumerate(sorted(partitions)):
        follows = at > 0 and is_day(day) and spans and spans[-1][-1] and is_day(spans[-1][-1])
        if follows and next_day(spans[-1][-1]) == day:
            spans[-1].append(day)
        else:
            spans.append([day])
    told = [span[0] or "all" if len(span) == 1 else f"{span[0]}..{span[-1]}" for span in spans]
    return ", ".join(told[:_SHOWN]) + (f" and {len(told) - _SHOWN:,} more" if len(told) > _SHOWN else "")


def result_text(result: Backfilled, *, shop: str) -> tuple[str, str]:
    """Return what a backfill came to, and its failures, which are no result."""
    lines = []
    if result.regression is not None:
        lines.append(result.regression.text())
    if result.built:
        lines += [
            f"made: bundle {result.built}, not in force; in force is {result.in_force or 'none'}",
            f"to put it in force: endcap promote {shop} {result.built}",
        ]
    elif not result.failed and all(report.state == "unchanged" for report in result.steps):
        lines = ["nothing to do", *lines]
    return "\n".join(lines), _failures(result)


def _failures(result: Backfilled) -> str:
    lines = []
    for step, days in result.failed.items():
        for told, group in groupby(
            sorted(days.items(), key=lambda pair: (str(pair[1]), pair[0])), lambda pair: str(pair[1])
        ):
            lines.append(f"failed: {step} {spans_told([day for day, _ in group])}: {told}")
    for step, waiting in result.waiting.items():
        lines += [f"waiting: {step} {spans_told(group)} for {cause}" for cause, group in _by_cause(waiting).items()]
    if lines:
        lines.append("fix what failed, then run the same command again: what is done stays done")
    return "".join(f"{line}\n" for line in lines)


def _by_cause(days: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for day, cause in days.items():
        found.setdefault(cause, []).append(day)
    return found
