"""The second shop: online_retail (orders only) through the same commands, with settings and without any code for it.

`python -m benchmarks.second_shop [--quick] [--out FILE]` makes a shop of $ENDCAP_DATA/online_retail by `endcap init`,
which is told what no file tells (prices are in GBP), refreshes it and asks for a slate. Quick leaves out
two_tower, which trains for minutes on orders of hundreds of lines. Figures: seconds, rows of the source and what became
of them, items, and how many places the slate has.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.command import endcap
from benchmarks.report import arguments, report


def main() -> int:
    """Run it; the exit code is 1 when a row is lost or there is no slate."""
    options = arguments(__doc__)
    export = Path(os.environ.get("ENDCAP_DATA", "../shared/data")).resolve() / "online_retail"
    if not export.is_dir():
        report("second_shop", {}, options, unmeasured={"all": "there is no folder online_retail in ENDCAP_DATA"})
        return 0
    if options.quick:
        os.environ["ENDCAP__MODELS__TRAIN"] = '["popular", "item_markov"]'
    with tempfile.TemporaryDirectory() as name:
        figures = _figures(Path(name) / "retail", export)
    report("second_shop", figures, options)
    return 1 if figures["rows_unaccounted"] or figures["places"] != 10 else 0


def _figures(shop: Path, export: Path) -> dict[str, Any]:
    endcap("init", str(shop), "--source", str(export), "--currency", "GBP")
    began = time.perf_counter()
    bundle = json.loads(endcap("refresh", str(shop), "--json"))["bundle"]
    refresh_s = round(time.perf_counter() - began, 1)
    became = _became(json.loads(endcap("show", "intake", str(shop), "--json")))
    slate = json.loads(endcap("recommend", str(shop), "--items", "85123A", "--placement", "product", "--json"))
    rows = sum(pq.read_metadata(file).num_rows for file in export.glob("*.parquet"))
    evaluation = json.loads(endcap("show", "evaluation", str(shop), "--json"))
    return {
        "refresh_s": refresh_s,
        "bundle": bundle,
        "rows_of_the_source": rows,
        "rows_unaccounted": abs(rows - sum(became.values())),
        "rows_by_outcome": became,
        "places": len(slate["items"]),
        "first_place": slate["items"][0]["title"],
        "reason": slate["items"][0]["reasons"][0]["code"],
        "cases": evaluation["counts"]["cases"],
        "cases_of_the_same_instant": evaluation["counts"]["same_instant"],
        "hr20": {name: measures["hr@20"] for name, measures in evaluation["models"].items()},
    }


def _became(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Add up what became of the rows of the source, over all event names."""
    total: dict[str, int] = {}
    for row in rows:
        for name, count in row.items():
            if name.startswith("rows_") and name != "rows_read":
                total[name] = total.get(name, 0) + count
    return total


if __name__ == "__main__":
    sys.exit(main())
