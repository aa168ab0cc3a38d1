"""Is a refresh idempotent and reproducible? Two shops are made from one export, and one of them is refreshed again.

`python -m benchmarks.refresh [--quick] [--out FILE]` takes the GA4 export in $ENDCAP_DATA/gmerch_ga4 (quick: a small
simulated one). Both shops hash under one key, so that their rows can be compared. Figures: seconds of the first and the
second refresh, files that the second one changed, parts of both shops compared by digest, and those that differ.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.report import arguments, report
from endcap.flows.init import init_shop
from endcap.flows.shop import USER_KEY_VARIABLE
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate
from endcap.testing.content import shop_content
from endcap.testing.crash import refresh_in_a_process

_MADE = ("lake", "models", "index", "bundles", "reports")
"""Folders of a shop that a refresh without anything to do must leave alone."""


def main() -> int:
    """Run it; the exit code is 1 when anything differs."""
    options = arguments(__doc__)
    os.environ[USER_KEY_VARIABLE] = "5e" * 32
    export = Path(os.environ.get("ENDCAP_DATA", "../shared/data")) / "gmerch_ga4"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.quick or not export.is_dir():
            world = make_world("small", days=14, visitors=1500, items=200)
            export = simulate(world, folder / "world", Popular()).export
        figures = _figures(folder, export)
    report("refresh", figures, options)
    return 1 if figures["files_changed_by_the_second"] or figures["digest_mismatches"] else 0


def _figures(folder: Path, export: Path) -> dict[str, Any]:
    shops = [folder / place / "shop" for place in ("a", "b")]
    for shop in shops:
        init_shop(shop, source=export)
    first_s = [_refreshed(shop) for shop in shops]
    before = _files(shops[0])
    second_s = _refreshed(shops[0])
    after = _files(shops[0])
    one, other = (shop_content(shop) for shop in shops)
    different = sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
    print(f"{export.name}: different parts: {different or 'none'}", file=sys.stderr)
    return {
        "export": export.name,
        "first_s": first_s[0],
        "second_s": second_s,
        "files_of_the_shop": len(before),
        "files_changed_by_the_second": len(set(before.items()) ^ set(after.items())),
        "parts_compared": len(one),
        "digest_mismatches": len(different),
        "metrics_equal": one["metrics"] == other["metrics"],
        "ndcg10": {name: measures["ndcg@10"] for name, measures in json.loads(one["metrics"]).items()},
    }


def _refreshed(shop: Path) -> float:
    """Refresh a shop in a process of its own; return the seconds it took."""
    began = time.perf_counter()
    if refresh_in_a_process(shop) != 0:
        raise SystemExit(f"the refresh of {shop} failed")
    return round(time.perf_counter() - began, 2)


def _files(shop: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of change of every file that refreshes have made."""
    paths = [path for made in _MADE for path in (shop / made).rglob("*") if path.is_file()]
    return {str(path.relative_to(shop)): (path.stat().st_size, path.stat().st_mtime_ns) for path in paths}


if __name__ == "__main__":
    sys.exit(main())
