"""The budget of `endcap compare`: how well does a part tell what all of it costs, and is the budget kept?

`python -m benchmarks.budget [--quick] [--out FILE]` fits every model that is installed on a hundredth (which loads what
it needs), a tenth, a fifth and all of the sessions of $ENDCAP_DATA/gmerch_ga4, in CPU seconds, and then runs the
command under budgets of 60 and 120 seconds of wall time (quick: of 60, without the fits). The exit code is 1 when a
budget was not kept.
"""

import json
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.command import endcap
from benchmarks.gmerch import COLUMNS, SPLIT_DAY, write_events
from benchmarks.report import arguments, report
from endcap.core.clock import day_start_us
from endcap.flows.interactions import read_interactions
from endcap.models.protocols import keep, session_next
from endcap.models.registry import algorithm, algorithm_names

_PARTS = (100, 10, 5, 1)


def main() -> int:
    """Measure and report; without the data everything is unmeasured."""
    options = arguments(__doc__)
    data = Path(os.environ.get("ENDCAP_DATA", "../shared/data")) / "gmerch_ga4"
    if not data.is_dir():
        report("budget", {}, options, unmeasured={"all": "there is no folder gmerch_ga4 in ENDCAP_DATA"})
        return 0
    figures: dict[str, float] = {}
    with TemporaryDirectory() as name:
        file = Path(name) / "events.parquet"
        write_events(data, file)
        if not options.quick:
            figures |= _costs(file)
        budgets = (60,) if options.quick else (60, 120)
        for budget_s in budgets:
            figures |= _kept(file, budget_s)
    report("budget", figures, options)
    return 1 if any(figures[f"spent_of_{budget_s}_s"] > budget_s for budget_s in budgets) else 0


def _costs(file: Path) -> dict[str, float]:
    """Fit each model on parts and on all."""
    found = read_interactions(file, **COLUMNS)
    train = session_next(found.sequences, split_us=day_start_us(SPLIT_DAY)).train
    number_E = train.sequence_of()
    figures = {"sequences": float(len(train))}
    for name in algorithm_names():
        cpu_s = {}
        for part in _PARTS:
            started = time.process_time()
            algorithm(name).fit(keep(train, number_E % part == 0), found.catalogue, seed=17)
            cpu_s[part] = time.process_time() - started
        told = {f"{name}_cpu_s": cpu_s[1], **{f"{name}_by_1_in_{part}_cpu_s": cpu_s[part] * part for part in (10, 5)}}
        figures |= {key: round(value, 2) for key, value in told.items()}
        print(name, {part: round(seconds, 2) for part, seconds in cpu_s.items()}, file=sys.stderr)
    return figures


def _kept(file: Path, budget_s: int) -> dict[str, float]:
    """Run the command under a budget."""
    options = [word for column, name in COLUMNS.items() for word in (f"--{column}", name)]
    asked = ["--split", f"time:{SPLIT_DAY}", "--protocol", "session_next", "--json", "--budget", str(budget_s)]
    started = time.perf_counter()
    told = json.loads(endcap("compare", str(file), *options, *asked, "--out", str(file.parent / "report")))
    spent_s = time.perf_counter() - started
    print(budget_s, {name: each["why"] for name, each in told["not_fitted"].items()}, file=sys.stderr)
    best = max(each["ndcg@10"] for each in told["models"].values())
    return {
        f"spent_of_{budget_s}_s": round(spent_s, 1),
        f"models_within_{budget_s}_s": len(told["models"]),
        f"best_ndcg10_within_{budget_s}_s": round(best, 4),
    }


if __name__ == "__main__":
    sys.exit(main())
