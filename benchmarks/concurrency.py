"""Runs two refreshes at once over a tiny shop, its catalog in SQLite and on PostgreSQL, and compares what came of it.

Figures, for each database: seeds, errors (runs that ended with another code than 0), lost_updates (parts of the shop
that differ from those of an undisturbed refresh), waited (attempts that waited for another runner, by the ledger) and
waited_s.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmarks.report import arguments, report
from endcap.flows.init import init_shop
from endcap.flows.shop import USER_KEY_VARIABLE, find_shop
from endcap.flows.wiring.batch import CATALOG_PASSWORD_VARIABLE, open_ledger
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate
from endcap.testing.content import shop_content
from endcap.testing.crash import refresh_in_a_process
from endcap.testing.postgres import PASSWORD, initdb, own_server

SEEDS, QUICK_SEEDS = 10, 4
LONGEST_WAIT_S = 0.05
"""A longer wait for a free lease is one for another runner."""


def main() -> int:
    """Run all seeds on both databases; the exit code is 1 when a run failed or anything differs."""
    options = arguments(__doc__)
    os.environ[USER_KEY_VARIABLE] = "5e" * 32
    os.environ["ENDCAP__MODELS__TRAIN"] = '["popular", "item_markov"]'
    os.environ[CATALOG_PASSWORD_VARIABLE] = PASSWORD
    figures: dict[str, float] = {}
    unmeasured = {"backfill_at_once": "two refreshes alone"}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        databases = {"sqlite": ""}
        if initdb():
            databases["postgresql"] = stack.enter_context(own_server()).url
        else:
            unmeasured["postgresql"] = "it is not installed"
        content, undisturbed_s = undisturbed(folder)
        figures |= {"undisturbed_s": round(undisturbed_s, 2), "parts_compared": len(content)}
        for name, url in databases.items():
            os.environ["ENDCAP__STORES__CATALOG"] = url
            figures |= at_once(folder, name, content, undisturbed_s, QUICK_SEEDS if options.quick else SEEDS)
    report("concurrency", figures, options, unmeasured=unmeasured)
    return 1 if any(value for name, value in figures.items() if name.endswith(("errors", "lost_updates"))) else 0


def undisturbed(folder: Path) -> tuple[dict[str, str], float]:
    """Make the export and a shop that one refresh alone has made; return its content and how long that took."""
    export = simulate(make_world("small", days=3, visitors=60, items=40), folder / "world", Popular()).export
    for place in ("fresh", "whole"):
        init_shop(folder / place / "tiny", source=export)
    began = time.perf_counter()
    if refresh_in_a_process(folder / "whole" / "tiny") != 0:
        raise SystemExit("the undisturbed refresh failed")
    return without_config(shop_content(folder / "whole" / "tiny")), time.perf_counter() - began


def without_config(content: dict[str, str]) -> dict[str, str]:
    """Leave the bundle's name out: it says where the catalog lies."""
    return {name: digest for name, digest in content.items() if name != "bundle"}


def at_once(folder: Path, name: str, content: dict[str, str], longest_s: float, seeds: int) -> dict[str, float]:
    """Run two refreshes with another distance between their starts for each seed."""
    sums = {"seeds": seeds, "errors": 0, "lost_updates": 0, "waited": 0, "waited_s": 0.0}
    for seed in range(seeds):
        place = folder / f"{name}-{seed}" / "tiny"
        shutil.copytree(folder / "fresh" / "tiny", place, symlinks=True)
        toml = place / "endcap.toml"
        toml.write_text(toml.read_text().replace('project = "tiny"', f'project = "tiny-{seed}"'))
        offset_s = 0.0 if seed == 0 else float(np.random.default_rng(seed).uniform(0.0, longest_s / 3))
        codes = two(place, offset_s)
        made = without_config(shop_content(place)) if not any(codes) else {}
        lost = [part for part in sorted({*made, *content}) if made.get(part) != content.get(part)] if made else []
        with open_ledger(find_shop(place)) as ledger:
            waits = [row["queue_s"] for row in ledger.attempts(limit=1000) if row["queue_s"] > LONGEST_WAIT_S]
            tries = [row["detail"]["retry"] for row in ledger.attempts(limit=1000) if "retry" in row["detail"]]
        print(f"{name} {seed}: {offset_s:.2f} s apart, codes {codes}, lost {lost}, waits {waits}, again {tries}",
              file=sys.stderr)  # fmt: skip
        sums["errors"] += sum(code != 0 for code in codes)
        sums["lost_updates"] += len(lost)
        sums["waited"] += len(waits)
        sums["waited_s"] += sum(waits)
    return {f"{name}_{what}": round(value, 2) for what, value in sums.items()}


def two(place: Path, offset_s: float) -> list[int]:
    """Start one refresh and some seconds later another one; return how they ended, and tell what a failed one said."""
    command = [sys.executable, "-m", "endcap", "refresh", str(place)]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(offset_s)
    second = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for process in (first, second):
        told = process.communicate()[1]
        if process.returncode:
            print(told, file=sys.stderr)
    return [first.returncode, second.returncode]


if __name__ == "__main__":
    sys.exit(main())
