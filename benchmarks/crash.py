"""Faults at random store operations of refreshes and backfills of a tiny shop, on local files and on an object store.

Each seed is one run with one fault, then the same command again, and a comparison with an undisturbed run. Figures:
seeds, lost_events, doubled_events, digest_mismatches (parts that differ), also by kind of fault and by place (local,
s3, backfill, backfill_s3); met (faults whose operation came), survived (faulted runs that ended well all the same),
internal_errors (runs that ended with a fault of Endcap itself); paused (runners that slept beyond their leases) and
late_writes (tables and bundles they changed after waking); killed_by_time (refreshes that a kill at a random moment met
running). What each seed came to is told on stderr. The object store is a server of its own (moto) behind a proxy.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from benchmarks.report import arguments, report
from endcap.flows.init import init_shop
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate
from endcap.testing.content import shop_content
from endcap.testing.crash import Crash, crash_and_refresh, refresh_in_a_process
from endcap.testing.fault_runs import (
    BUCKET,
    Faulted,
    Holdings,
    Scene,
    choose_fault,
    fault_and_resume,
    pause_and_resume,
    undisturbed,
)
from endcap.testing.fault_scenes import SAME_FOR_ALL, make_scene
from endcap.testing.faults import FaultKind
from endcap.testing.s3_server import CREDENTIALS, make_bucket, own_s3, s3_program

SHOPS = {
    "tiny": ('["popular", "item_markov"]', 4),
    "tiny_with_two_tower": ('["popular", "item_markov", "two_tower"]', 4),
}
"""Name -> models trained, moments of killing. Loading torch alone takes 4 s: most moments go to the other shop."""

SEEDS = {"local": (128, 8), "s3": (36, 5), "backfill": (32, 4), "backfill_s3": (4, 1)}
"""Place -> seeds of the whole run, of a quick one. A seed costs about 5, 13, 12 and 35 s of one core."""

PAUSED = {"local": (8, 3), "s3": (2, 1)}
LANES = 2
INTERNAL = 70
"""Exit code of a fault of Endcap itself."""

SEEDS_APART = 1000
"""Between the first seeds of two places: equal seeds draw alike."""


@dataclass(frozen=True)
class Prepared:
    """A place with what an undisturbed run does there.

    Args:
        name: Its name.
        scene: What is done there.
        operations: Names of its operations in order.
        wanted: What the shop then holds.
    """

    name: str
    scene: Scene
    operations: list[str]
    wanted: Holdings


def main() -> int:
    """Run all seeds; the exit code is 1 when anything is lost, doubled or differs."""
    options = arguments(__doc__)
    os.environ |= {**SAME_FOR_ALL, **CREDENTIALS}
    places, unmeasured = list(SEEDS), {}
    if not s3_program():
        places, unmeasured = ["local", "backfill"], {"object_store": "its server is not installed: make build/s3/ready"}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        far = stack.enter_context(own_s3()) if "s3" in places else ""
        if far:
            make_bucket(far, BUCKET)
        runs = fault_all(folder, places, far, is_quick=options.quick)
    every = [run for named in runs.values() for run in named]
    parts = {**runs, **{kind.value: [run for run in every if run.fault.kind is kind] for kind in FaultKind}}
    figures: dict[str, float] = {
        **summed(every),
        "met": sum(run.met for run in every),
        "survived": sum(run.code == 0 for run in every),
        "internal_errors": sum(run.code == INTERNAL for run in every),
    }
    for name, part in parts.items():
        figures |= {f"{name}_{what}": number for what, number in summed(part).items()}
    figures["paused"] = figures["pause_seeds"]
    figures["late_writes"] = sum(run.late_writes for run in every)
    figures["killed_by_time"] = 0
    for models, seeds in [] if options.quick else SHOPS.values():
        os.environ["ENDCAP__MODELS__TRAIN"] = models
        with tempfile.TemporaryDirectory() as other:
            crashes, _undisturbed_s, _parts = crash_all(Path(other), seeds)
        figures["killed_by_time"] += sum(crash.was_killed for crash in crashes)
        figures["digest_mismatches"] += sum(len(crash.differences) for crash in crashes)
    report("crash", figures, options, unmeasured=unmeasured)
    wrong = ("lost_events", "doubled_events", "digest_mismatches", "late_writes", "internal_errors")
    return 1 if any(figures[name] for name in wrong) else 0


def summed(runs: Sequence[Faulted]) -> dict[str, float]:
    """Return the figures of some runs."""
    return {
        "seeds": len(runs),
        "lost_events": sum(run.lost for run in runs),
        "doubled_events": sum(run.doubled for run in runs),
        "digest_mismatches": sum(len(run.differences) for run in runs),
    }


def fault_all(folder: Path, places: Sequence[str], far: str, *, is_quick: bool) -> dict[str, list[Faulted]]:
    """Do all seeds of all places, some at once in processes of their own: each of them forks and must have no threads.

    Returns:
        Place -> what came of its seeds.
    """
    column = 1 if is_quick else 0
    with ProcessPoolExecutor(LANES, mp_context=get_context("fork")) as lanes:
        prepared = dict(zip(places, lanes.map(partial(prepare, folder, far), places), strict=True))
        asked = []
        for name in reversed(places):  # those that last longest first
            seeds, paused = SEEDS[name][column], PAUSED.get(name, (0, 0))[column]
            first = SEEDS_APART * list(SEEDS).index(name)
            asked += [(name, lanes.submit(seed_in, folder, prepared[name], first + seed, seed >= seeds))
                      for seed in range(seeds + paused)]  # fmt: skip
        runs: dict[str, list[Faulted]] = {name: [] for name in places}
        for name, each in asked:
            runs[name].append(each.result())
    return runs


def prepare(folder: Path, far: str, name: str) -> Prepared:
    """Make the shop of a place and let it be done once without a fault."""
    scene = make_scene(folder / name, is_backfill=name.startswith("backfill"), far=far if name.endswith("s3") else "")
    operations, wanted = undisturbed(scene, folder / f"{name}-whole" / "tiny")
    print(f"{name}: {len(operations)} operations of {len(set(operations))} names, {len(wanted.events)} events, "
          f"{len(wanted.content)} parts", file=sys.stderr, flush=True)  # fmt: skip
    return Prepared(name, scene, operations, wanted)


def seed_in(folder: Path, place: Prepared, seed: int, is_pause: bool) -> Faulted:  # noqa: FBT001 - it goes to a process
    """Do one seed; the last ones of a place are runners that sleep too long."""
    began = time.perf_counter()
    fault = choose_fault(place.operations, seed, kinds=[FaultKind.PAUSE] if is_pause else [])
    shop = folder / f"{place.name}-{seed}" / "tiny"
    run = (pause_and_resume if is_pause else fault_and_resume)(place.scene, shop, place.wanted, fault)
    print(f"{place.name} {seed:3}: {fault.kind.value} at {fault.name} {fault.number}"
          f"{'' if run.met else ' (never met)'}, ended with {run.code}: {run.differences or 'equal'} lost {run.lost} "
          f"doubled {run.doubled} late {run.late_writes}, {time.perf_counter() - began:.1f} s",
          file=sys.stderr, flush=True)  # fmt: skip
    if not run.differences:
        shutil.rmtree(shop.parent)
    return run


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
