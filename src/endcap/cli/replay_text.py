"""A replay as text: what it makes again and from what, and how that compares with what it was."""

from endcap.cli.backfill_text import spans_told
from endcap.cli.table import table
from endcap.flows.replay import Replayed
from endcap.flows.replay_verdict import other_versions

__all__ = ["replay_plan_text", "replay_text"]


def replay_plan_text(replayed: Replayed) -> str:
    """Return what a replay makes again, from which versions, and what is known to be otherwise than then."""
    plan, manifest = replayed.plan, replayed.plan.manifest
    read = ", ".join(f"{name} {plan.versions[name]}" for name in plan.read)
    lines = [
        f"replay of the run {manifest.run_id} ({manifest.outcome}), through {manifest.through}, in {replayed.place}",
        f"as they were: {read or 'no table'}",
        *(f"otherwise than then: {each}" for each in other_versions(plan)),
    ]
    if manifest.erasure != "complete":
        lines.append(f"{manifest.erasure}: rows of people were forgotten since, so the tables are read as they are now")
    rows = [[step, spans_told(partitions)] for step, partitions in plan.partitions.items()]
    return "\n".join([*lines, "", table(["step", "made again"], rows)])


def replay_text(replayed: Replayed) -> str:
    """Return the verdict first, then what differs and where all lies."""
    verdict = replayed.verdict
    assert verdict is not None
    lines = verdict.lines()
    same = verdict.num_compared - len(verdict.differences)
    told = f"replay: {'equal' if verdict.is_equal else 'not equal'}; {same:,} of {verdict.num_compared:,} parts are "
    lines = [told + "as the run's manifest says", *(f"  {line}" for line in lines)]
    if all(report.state == "unchanged" for report in replayed.steps):
        lines.append("nothing to do: it was made again before")
    if replayed.bundle:
        lines.append(f"made again: bundle {replayed.bundle}")
    return "\n".join([*lines, f"it lies in {replayed.place}"])
