"""Faults at random store operations of a refresh of a tiny shop, and kills at random moments: what comes of it.

Figures: seeds, lost_events, doubled_events, digest_mismatches (parts that differ), all of them also by kind of fault;
paused (runners that slept beyond their leases) and late_writes (tables and bundles they changed after waking);
killed_by_time (refreshes that a kill at a random moment met running). Seeds with differences are told on stderr.
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import arguments, report
from endcap.flows.init import init_shop
from endcap.flows.shop import USER_KEY_VARIABLE
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate
from endcap.testing.content import shop_content
from endcap.testing.crash import Crash, crash_and_refresh, refresh_in_a_process
from endcap.testing.fault_runs import Faulted, choose_fault, fault_and_refresh, holdings, pause_and_refresh
from endcap.testing.faults import FaultKind, count_operations, run_forked

SHOPS = {
    "tiny": ('["popular", "item_markov"]', 4),
    "tiny_with_two_tower": ('["popular", "item_markov", "two_tower"]', 4),
}
"""Name -> models trained, moments of killing. Loading torch alone takes 4 s: most moments go to the other shop."""


FAULT_SEEDS, QUICK_SEEDS, PAUSED = 200, 24, 10


def main() -> int:
    """Run all seeds; the exit code is 1 when anything is lost, doubled or differs."""
    options = arguments(__doc__)
    os.environ[USER_KEY_VARIABLE] = "5e" * 32  # all shops hash alike, so that their rows can be compared
    os.environ["ENDCAP__MODELS__TRAIN"] = '["popular"]'
    with tempfile.TemporaryDirectory() as folder:
        runs = fault_all(Path(folder), QUICK_SEEDS if options.quick else FAULT_SEEDS, PAUSED)
    figures: dict[str, float] = {"seeds": len(runs), **_summed(runs)}
    for kind in FaultKind:
        of_kind = [run for run in runs if run.fault.kind is kind]
        figures[f"{kind.value}_seeds"] = len(of_kind)
        figures |= {f"{kind.value}_{name}": number for name, number in _summed(of_kind).items()}
    figures["paused"] = figures["pause_seeds"]
    figures["late_writes"] = sum(run.late_writes for run in runs)
    figures["killed_by_time"] = 0
    for models, seeds in [] if options.quick else SHOPS.values():
        os.environ["ENDCAP__MODELS__TRAIN"] = models
        with tempfile.TemporaryDirectory() as folder:
            crashes, _undisturbed_s, _parts = crash_all(Path(folder), seeds)
        figures["killed_by_time"] += sum(crash.was_killed for crash in crashes)
        figures["digest_mismatches"] += sum(len(crash.differences) for crash in crashes)
    report("crash", figures, options, unmeasured={"object_store": "local files", "backfill": "a refresh"})
    return (
        1 if any(figures[name] for name in ("lost_events", "doubled_events", "digest_mismatches", "late_writes")) else 0
    )


def _summed(runs: list[Faulted]) -> dict[str, float]:
    return {
        "lost_events": sum(run.lost for run in runs),
        "doubled_events": sum(run.doubled for run in runs),
        "digest_mismatches": sum(len(run.differences) for run in runs),
    }


def fault_all(folder: Path, seeds: int, paused: int) -> list[Faulted]:
    """Refresh a copy of a tiny shop once for each seed, with a fault; the last ones are runners that sleep too long."""
    export = simulate(make_world("small", days=2, visitors=12, items=20), folder / "world", Popular()).export
    fresh, whole = folder / "fresh" / "tiny", folder / "whole" / "tiny"
    for place in (fresh, whole):
        init_in_a_process(place, export)
    operations = count_operations(whole)
    wanted = holdings(whole)
    print(f"{len(operations)} operations, {len(wanted.events)} events, {len(wanted.content)} parts", file=sys.stderr)
    runs = []
    for seed in range(seeds + paused):
        place = folder / f"fault-{seed}" / "tiny"
        is_pause = seed >= seeds
        fault = choose_fault(operations, seed, kinds=[FaultKind.PAUSE] if is_pause else [])
        run = (pause_and_refresh if is_pause else fault_and_refresh)(fresh, place, wanted, fault)
        print(f"{seed:3} {fault.kind.value} at {fault.operation} {run.name}, ended with {run.code}: "
              f"{run.differences or 'equal'} lost {run.lost} doubled {run.doubled} late {run.late_writes}",
              file=sys.stderr, flush=True)  # fmt: skip
        runs.append(run)
        if not run.differences:
            shutil.rmtree(place.parent)
    return runs


def init_in_a_process(place: Path, export: Path) -> None:
    """Make a shop in a process of its own: this one must stay free of threads, for it is forked."""

    def make() -> int:
        init_shop(place, source=export)
        return 0

    code, _ = run_forked(make, None)
    if code:
        raise SystemExit("the shop could not be made")


def crash_all(folder: Path, seeds: int) -> tuple[list[Crash], float, int]:
    """Kill refreshes at some moments; return what came of it, the time of an undisturbed one, the parts compared."""
    export = simulate(make_world("small", days=3, visitors=60, items=40), folder / "world", Popular()).export
    fresh, whole = folder / "fresh" / "tiny", folder / "whole" / "tiny"
    for place in (fresh, whole):
        init_shop(place, source=export)
    began = time.perf_counter()
    if refresh_in_a_process(whole) != 0:
        raise SystemExit("the undisturbed refresh failed")
    undisturbed_s = time.perf_counter() - began
    content = shop_content(whole)
    crashes = []
    for seed in range(seeds):
        place = folder / f"crash-{seed}" / "tiny"
        crash = crash_and_refresh(fresh, place, content, seed=seed, longest_s=undisturbed_s)
        told = "killed" if crash.was_killed else "had ended"
        print(f"{seed:2} {told} after {crash.killed_after_s:.2f} s: {crash.differences or 'equal'}", file=sys.stderr)
        crashes.append(crash)
    return crashes, undisturbed_s, len(content)


if __name__ == "__main__":
    sys.exit(main())
