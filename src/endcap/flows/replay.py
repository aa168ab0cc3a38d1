"""Replays: what a past run did, done again from its manifest, in a place of its own, and set beside what it was.

The settings, the seed, the last day and the tables are those of then. What came from files is not read again, for files
go: events, what catalogues said and slates are taken as the run left them. Every other partition that the run did is
made again, in the order of the steps, by the same runner as ever, so a replay that is killed goes on where it was.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from endcap.core.clock import Clock, system_clock
from endcap.core.errors import Code, LedgerError
from endcap.core.manifest import RunManifest
from endcap.core.tables import TABLES
from endcap.flows.config import ShopConfig
from endcap.flows.flow import Flow, Progress, StepReport
from endcap.flows.folder import bring_folder
from endcap.flows.refresh import forget_lost_tables
from endcap.flows.replay_inputs import past_parts
from endcap.flows.replay_ledger import ReplayLedger
from endcap.flows.replay_plan import ReplayPlan, plan_replay
from endcap.flows.replay_verdict import Verdict, other_versions, verdict
from endcap.flows.runner import run_steps
from endcap.flows.runs import find_run
from endcap.flows.shop import Shop, find_shop, write_atomically
from endcap.flows.wiring.batch import open_flow
from endcap.flows.wiring.replay import open_replay
from endcap.governance.access import Action, require
from endcap.stores.config import StoresConfig

__all__ = ["REPORT", "Replayed", "replay"]

REPORT = "replay.json"
"""Name of the report in the folder of the replay."""


@dataclass(frozen=True)
class Replayed:
    """What a replay came to.

    Args:
        plan: What was to be made again.
        place: The folder in which it lies.
        steps: How each step went; none in a dry run.
        verdict: What was compared; None in a dry run.
        bundle: Id of the bundle that was made again; "" for none.
    """

    plan: ReplayPlan
    place: Path
    steps: Sequence[StepReport] = ()
    verdict: Verdict | None = None
    bundle: str = ""

    def to_plain(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        manifest = self.plan.manifest
        return {
            "run_id": manifest.run_id,
            "outcome": manifest.outcome,
            "through": manifest.through,
            "erasure": manifest.erasure,
            "place": str(self.place),
            "plan": {step: list(partitions) for step, partitions in self.plan.partitions.items()},
            "read": {table: self.plan.versions[table] for table in self.plan.read},
            "other_versions": other_versions(self.plan),
            "steps": [asdict(report) for report in self.steps],
            "bundle": self.bundle,
            "verdict": self.verdict.to_plain() if self.verdict else None,
        }


def replay(
    shop: Path,
    name: str,
    *,
    is_dry_run: bool = False,
    planned: Callable[[Replayed], None] = lambda _replayed: None,
    progress: Progress = lambda _report: None,
    clock: Clock = system_clock,
) -> Replayed:
    """Make again what a past run made, below `SHOP/replays/<run id>`, and compare it with the run's manifest.

    Args:
        shop: The shop's folder.
        name: Id of the run, or of a bundle that it made.
        is_dry_run: End with the plan; nothing is written.
        planned: Is told the plan before anything is done.
        progress: Is told how each step goes.
        clock: The clock.

    Raises:
        LedgerError: There is no such run (RUN_UNKNOWN), its manifest is damaged (RUN_DAMAGED), or it cannot be replayed
            (RUN_NOT_REPLAYABLE).
        StoreError: A version that it read is no longer there (VERSION_GONE).
        EndcapError: A step failed; what was made again stays, and the same command goes on.
    """
    opened = find_shop(shop)
    with open_flow(opened, through="", progress=progress, clock=clock) as flow:
        require(flow.actor, Action.SHOP_READ, opened.resource("shop"), audit=flow.ledger.audit, at_us=flow.now_us)
        manifest = find_run(flow, name)
        plan = plan_replay(manifest, latest={name: flow.tables.version(table) for name, table in TABLES.items()})
        place = Shop(opened.root / "replays" / manifest.run_id, _config(manifest))
        past = flow.tables.at(plan.versions)
        for table in plan.read:
            past.files(TABLES[table])  # told now, before anything is done: it may be gone
        planned(Replayed(plan, place.root))
        if is_dry_run:
            return Replayed(plan, place.root)
        named = opened.resource(f"run/{manifest.run_id}")
        require(flow.actor, Action.RUN_REPLAY, named, audit=flow.ledger.audit, at_us=flow.now_us)
        plan = _lend(flow.shop, place, plan)
        with open_replay(flow, place, plan) as again:
            result = _run(flow, again, plan)
        report = msgspec.json.format(msgspec.json.encode(result.to_plain()), indent=1)
        write_atomically(place.root / REPORT, report + b"\n")
        return result


def _config(manifest: RunManifest) -> ShopConfig:
    """Return the settings of then, with every place below the replay's own folder."""
    try:
        config = ShopConfig.model_validate_json(msgspec.json.encode(manifest.settings), strict=True)
    except ValueError as error:
        raise LedgerError(
            f"the settings of the run {manifest.run_id}, of Endcap {manifest.code_version}, are none that this version "
            f"understands: {str(error).splitlines()[0]}",
            where=f"SHOP/runs/{manifest.run_id}.json",
            fix=f"replay it with Endcap {manifest.code_version}",
            code=Code.RUN_NOT_REPLAYABLE,
        ) from error
    return config.model_copy(update={"stores": StoresConfig()})


def _lend(shop: Shop, place: Shop, plan: ReplayPlan) -> ReplayPlan:
    """Put models and indexes that the run found made into the replay's place; those that are gone are made again."""
    partitions = dict(plan.partitions)
    for step, mine, theirs in (("train", shop.models, place.models), ("index", shop.index, place.index)):
        for name, version in plan.lent.get(step, {}).items():
            in_bundles = sorted(shop.bundles.glob(f"*/{mine.name}/{name}"))
            if not bring_folder([mine / name / version, *in_bundles], theirs / name / version):
                partitions[step] = sorted({*partitions.get(step, []), name})
    if "examples" in partitions:
        for each in place.config.features.negatives:
            if each.kind == "hard":  # one that is gone is told by the step
                pinned = f"{each.model}/{each.version}"
                in_bundles = sorted(shop.bundles.glob(f"*/models/{each.model}"))
                bring_folder([shop.models / pinned, *in_bundles], place.models / pinned)
    return replace(plan, partitions=partitions)


def _run(flow: Flow, again: Flow, plan: ReplayPlan) -> Replayed:
    ledger = again.ledger
    assert isinstance(ledger, ReplayLedger)
    forget_lost_tables(again)
    note = again.shop.root / "inputs.json"
    ledger.past_parts = past_parts(plan, flow.tables.at(plan.versions), again.engine, note)
    ledger.past_outputs = {
        step: {each: output for each, output in told.items() if each not in plan.partitions.get(step, ())}
        for step, told in plan.manifest.outputs.items()
    }
    reports = run_steps(again, plan.steps)
    made = ledger.outputs("bundle").get("", {}).get("bundle_id", "") if "bundle" in plan.partitions else ""
    return Replayed(plan, again.shop.root, reports, verdict(flow, again, plan), made)
