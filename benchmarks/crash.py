"""Kills a refresh of a tiny shop at random moments and compares what the next refresh makes of it, part by part.

Figures: seeds, killed (refreshes that the kill met running), undisturbed_s, digest_mismatches (parts that differ),
parts_compared.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import arguments, report
from endcap.flows.init import init_shop
from endcap.flows.shop import USER_KEY_VARIABLE
from endcap.simulation.shop import simulate
from endcap.testing.content import shop_content
from endcap.testing.crash import crash_and_refresh, refresh_in_a_process

SEEDS = 20


def main() -> int:
    """Run all moments; the exit code is 1 when anything differs."""
    options = arguments(__doc__)
    os.environ[USER_KEY_VARIABLE] = "5e" * 32  # both shops hash alike, so that their rows can be compared
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate(folder / "export", days=3, users=60, items=40)
        for place in ("a", "b"):
            init_shop(folder / place / "tiny", source=folder / "export")
        began = time.perf_counter()
        if refresh_in_a_process(folder / "b" / "tiny") != 0:
            print("the undisturbed refresh failed", file=sys.stderr)
            return 1
        undisturbed_s = time.perf_counter() - began
        content = shop_content(folder / "b" / "tiny")
        crashes = []
        for seed in range(SEEDS):
            crash = crash_and_refresh(
                folder / "a" / "tiny", folder / f"crash-{seed}" / "tiny", content, seed=seed, longest_s=undisturbed_s
            )
            told = "killed" if crash.was_killed else "had ended"
            print(
                f"{seed:2} {told} after {crash.killed_after_s:.2f} s: {crash.differences or 'equal'}", file=sys.stderr
            )
            crashes.append(crash)
    mismatches = sum(len(crash.differences) for crash in crashes)
    figures = {
        "seeds": SEEDS,
        "killed": sum(crash.was_killed for crash in crashes),
        "undisturbed_s": round(undisturbed_s, 2),
        "parts_compared": len(content),
        "digest_mismatches": mismatches,
    }
    unmeasured = {"lost_events": "the event log is benchmarked with serving", "doubled_events": "likewise"}
    report("crash", figures, options, unmeasured=unmeasured)
    return 1 if mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
