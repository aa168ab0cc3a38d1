"""Runs two refreshes and a backfill at once over a tiny shop, its catalog in SQLite and on PostgreSQL; what came of it.

The shop was refreshed as far as its files could be read and has a new mapping since. For each seed a backfill by two
processes and two refreshes begin, some time apart; then the bundle that was made last is put in force. Figures, for
each database: seeds, errors (commands that ended with another code than 0), lost_updates (parts of the shop that differ
from those of the same commands one after the other), waited (attempts that waited for another runner, by the ledger)
and waited_s, the same of the backfill's own run (backfill_waited, backfill_waited_s), and tried_again (attempts that
met another writer). Which of the bundles is in force is up to who came last: parts are compared after a promotion.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmarks.backfill import command, map_columns
from benchmarks.report import arguments, report
from endcap.flows.init import init_shop
from endcap.flows.shop import find_shop
from endcap.flows.wiring.batch import CATALOG_PASSWORD_VARIABLE, open_ledger
from endcap.simulation.faults.choice import Faults
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate
from endcap.testing.content import shop_content
from endcap.testing.fault_scenes import SAME_FOR_ALL
from endcap.testing.postgres import PASSWORD, initdb, own_server

SEEDS, QUICK_SEEDS = 8, 2
DAYS, CHANGE = 6, "2026-01-04"
SPAN = ("--from", "2026-01-03", "--to", "2026-01-06")
LONGEST_WAIT_S = 0.05
"""A longer wait for a free lease is one for another runner."""


def main() -> int:
    """Run all seeds on both databases; the exit code is 1 when a run failed or anything differs."""
    options = arguments(__doc__)
    os.environ |= {**SAME_FOR_ALL, CATALOG_PASSWORD_VARIABLE: PASSWORD}
    os.environ["ENDCAP__MODELS__TRAIN"] = '["popular", "item_markov"]'
    figures: dict[str, float] = {}
    unmeasured = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        databases = {"sqlite": ""}
        if initdb():
            databases["postgresql"] = stack.enter_context(own_server()).url
        else:
            unmeasured["postgresql"] = "it is not installed"
        for name, url in databases.items():
            os.environ["ENDCAP__STORES__CATALOG"] = url
            figures |= at_once(folder / name, name, QUICK_SEEDS if options.quick else SEEDS)
    report("concurrency", figures, options, unmeasured=unmeasured)
    return 1 if any(value for name, value in figures.items() if name.endswith(("errors", "lost_updates"))) else 0


def at_once(folder: Path, name: str, seeds: int) -> dict[str, float]:
    """Run the three commands with other distances between their starts for each seed."""
    export = simulate(
        make_world("small", days=DAYS, visitors=40, items=30), folder / "world", Popular(),
        faults=Faults(schema_change=CHANGE),
    ).export  # fmt: skip
    began = time.perf_counter()
    one_by_one = make_shop(folder / "one-by-one", export, f"{name}-whole")
    longest_s = time.perf_counter() - began
    for words in commands(one_by_one):
        ended(start(*words), code=0)
    wanted = made(one_by_one)
    sums = {"seeds": seeds, "parts_compared": len(wanted), "errors": 0, "lost_updates": 0, "waited": 0, "waited_s": 0.0,
            "backfill_waited": 0, "backfill_waited_s": 0.0, "tried_again": 0}  # fmt: skip
    for seed in range(seeds):
        place = make_shop(folder / f"seed-{seed}", export, f"{name}-{seed}")
        draw = np.random.default_rng(seed)
        asked = [commands(place)[each] for each in draw.permutation(3)]
        apart_s = [0.0, 0.0] if seed == 0 else draw.uniform(0.0, longest_s / 4, 2).round(2).tolist()
        codes, backfill_run = all_at_once(asked, apart_s)
        found = made(place) if not any(codes) else {}
        lost = [part for part in sorted({*found, *wanted}) if found.get(part) != wanted.get(part)] if found else []
        told = waits(place, backfill_run)
        print(f"{name} {seed}: {[each[0] for each in asked]} {apart_s} s apart, codes {codes}, lost {lost}, {told}",
              file=sys.stderr, flush=True)  # fmt: skip
        sums["errors"] += sum(code != 0 for code in codes)
        sums["lost_updates"] += len(lost)
        for what, number in told.items():
            sums[what] += number
    return {f"{name}_{what}": round(value, 2) for what, value in sums.items()}


def make_shop(folder: Path, export: Path, project: str) -> Path:
    """Make a shop of a name of its own, for one server holds them all, with days that wait for the mapping it has."""
    shop = folder / "tiny"
    init_shop(shop, source=export)
    toml = shop / "endcap.toml"
    toml.write_text(toml.read_text().replace('project = "tiny"', f'project = "{project}"'))
    ended(start("refresh", shop), code=2)  # days wait
    map_columns(shop)
    return shop


def commands(shop: Path) -> list[tuple[object, ...]]:
    """Return the words of the backfill and the two refreshes."""
    return [("backfill", shop, *SPAN, "--parallel", "2", "--json"), ("refresh", shop), ("refresh", shop)]


def all_at_once(words: Sequence[tuple[object, ...]], apart_s: Sequence[float]) -> tuple[list[int], str]:
    """Start commands some seconds apart; return how they ended, and the id of the backfill's run."""
    running = [start(*words[0])]
    for each, wait_s in zip(words[1:], apart_s, strict=True):
        time.sleep(wait_s)
        running.append(start(*each))
    told = [ended(each) for each in running]
    of_backfill = next(out for each, (_, out) in zip(words, told, strict=True) if each[0] == "backfill")
    return [code for code, _ in told], json.loads(of_backfill)["run_id"] if of_backfill else ""


def start(*words: object) -> "subprocess.Popen[str]":
    """Start a command of ours."""
    return subprocess.Popen(command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: "subprocess.Popen[str]", *, code: int | None = None) -> tuple[int, str]:
    """Wait for a command; return how it ended and what it printed. What a failed one said is told on stderr."""
    out, err = process.communicate()
    if process.returncode != (code or 0):
        print(err, file=sys.stderr)
        if code is not None:
            raise SystemExit(f"a command ended with {process.returncode}")
    return process.returncode, out


def made(shop: Path) -> dict[str, str]:
    """Put in force what was made last, and return what the shop holds; without the bundle's name, which has its own."""
    with open_ledger(find_shop(shop)) as ledger:
        last = ledger.outputs("bundle")[""]["bundle_id"]
    ended(start("promote", shop, last), code=0)
    # A manifest names the shop, and each of these has a name of its own.
    return {name: digest for name, digest in shop_content(shop).items() if name != "bundle"}


def waits(shop: Path, backfill_run: str) -> dict[str, float]:
    """Return what the ledger tells of waiting, in all and of the backfill."""
    with open_ledger(find_shop(shop)) as ledger:
        rows = ledger.attempts(limit=10_000)
    waited = [row for row in rows if row["queue_s"] > LONGEST_WAIT_S]
    of_backfill = [row for row in waited if row["run_id"] == backfill_run]
    return {
        "waited": len(waited),
        "waited_s": sum(row["queue_s"] for row in waited),
        "backfill_waited": len(of_backfill),
        "backfill_waited_s": sum(row["queue_s"] for row in of_backfill),
        "tried_again": sum("retry" in row["detail"] for row in rows),
    }


if __name__ == "__main__":
    sys.exit(main())
