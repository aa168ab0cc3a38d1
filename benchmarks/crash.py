"""Kills a refresh of a tiny shop at random moments and compares what the next refresh makes of it, part by part.

Figures: seeds, killed (refreshes that the kill met running), digest_mismatches (parts that differ), and for each shop
the seconds of an undisturbed refresh and the number of parts compared.
"""

import os
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

SHOPS = {
    "tiny": ('["popular", "item_markov"]', 20),
    "tiny_with_two_tower": ('["popular", "item_markov", "two_tower"]', 6),
}
"""Name -> models trained, moments of killing. Loading torch alone takes 4 s: most moments go to the other shop."""


def main() -> int:
    """Run all moments; the exit code is 1 when anything differs."""
    options = arguments(__doc__)
    os.environ[USER_KEY_VARIABLE] = "5e" * 32  # both shops hash alike, so that their rows can be compared
    figures: dict[str, float] = {"seeds": 0, "killed": 0, "digest_mismatches": 0}
    for name, (models, seeds) in SHOPS.items():
        os.environ["ENDCAP__MODELS__TRAIN"] = models
        with tempfile.TemporaryDirectory() as folder:
            crashes, undisturbed_s, parts = crash_all(Path(folder), seeds)
        figures[f"{name}_undisturbed_s"] = round(undisturbed_s, 2)
        figures[f"{name}_parts_compared"] = parts
        figures["seeds"] += seeds
        figures["killed"] += sum(crash.was_killed for crash in crashes)
        figures["digest_mismatches"] += sum(len(crash.differences) for crash in crashes)
    unmeasured = {"lost_events": "the event log is tested with serving", "doubled_events": "likewise"}
    report("crash", figures, options, unmeasured=unmeasured)
    return 1 if figures["digest_mismatches"] else 0


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
