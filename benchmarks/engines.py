"""Refreshes the same shops with DuckDB and with Spark, and compares all of their tables row for row.

Shops: a simulated one with every kind of dirt, bots and logins; without --quick also two days of the Google Merchandise
Store (ENDCAP_DATA). Spark: in one process, and for the simulated shop on a standalone master with two workers. Figures,
for each shop and place: tables_compared, rows_compared, rows_that_differ, largest_relative_difference of floats,
parts_that_differ (digests of models, indexes, metrics and the bundle's files), and the seconds of `endcap refresh`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import arguments, report
from endcap.flows.init import init_shop
from endcap.flows.shop import USER_KEY_VARIABLE
from endcap.simulation.faults.choice import parse_faults
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate
from endcap.testing.compared import compare_tables
from endcap.testing.content import shop_content
from endcap.testing.spark import CHEAP_JAVA, is_installed, standalone

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")
FAULTS = ["duplicates=0.1", "late=0.1", "out_of_order", "clock_skew=0.2", "missing_fields=0.1", "malformed=0.02"]
NEGATIVES = '[{kind = "popularity"}, {kind = "uniform", num = 2}, {kind = "unclicked"}]'
REAL = ("catalog.tsv", "events_20160801.parquet", "events_20160802.parquet")


def main() -> int:
    """Compare; the exit code is 1 where a row or a part differs."""
    options = arguments(__doc__)
    figures: dict[str, float] = {}
    unmeasured: dict[str, str] = {}
    if not is_installed():
        report("engines", figures, options, unmeasured={"rows_that_differ": "PySpark or Java is not installed"})
        return 0
    os.environ[USER_KEY_VARIABLE] = "5e" * 32
    os.environ["ENDCAP__MODELS__TRAIN"] = '["popular", "item_markov"]'
    os.environ["ENDCAP__FEATURES__NEGATIVES"] = NEGATIVES
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        shop, took_s = refreshed_by_duckdb(folder / "simulated", simulated(folder))
        figures["duckdb_s"] = took_s
        figures |= compared(shop, "local[2]", "")
        if options.quick:
            unmeasured["standalone_rows_that_differ"] = unmeasured["gmerch_rows_that_differ"] = "--quick"
        else:
            with standalone(folder / "cluster", workers=2) as cluster:
                figures |= compared(shop, cluster.url, "standalone_")
            real = Path(os.environ.get("ENDCAP_DATA", "../shared/data")) / "gmerch_ga4"
            if real.is_dir():
                shop, took_s = refreshed_by_duckdb(folder / "gmerch", two_days(real, folder))
                figures["gmerch_duckdb_s"] = took_s
                figures |= compared(shop, "local[2]", "gmerch_")
            else:
                unmeasured["gmerch_rows_that_differ"] = f"there is no export at {real}"
    report("engines", figures, options, unmeasured=unmeasured)
    return 1 if any(value for name, value in figures.items() if name.endswith("that_differ")) else 0


def simulated(folder: Path) -> Path:
    """Write the export of a small shop in which everything goes wrong."""
    eager = {"bot_share": 0.05, "account_share": 0.5, "p_list": 0.3, "p_follow": 0.7, "p_cart": 0.4, "p_pay": 0.9}
    world = make_world("small", days=len(DAYS), visitors=100, items=60, **eager)
    return simulate(world, folder / "world", Popular(), faults=parse_faults(FAULTS, days=DAYS)).export


def two_days(real: Path, folder: Path) -> Path:
    """Take two days and the catalogue out of the real export."""
    export = folder / "two_days"
    export.mkdir()
    for name in REAL:
        shutil.copyfile(real / name, export / name)
    return export


def refreshed_by_duckdb(place: Path, export: Path) -> tuple[Path, float]:
    """Make a shop twice: one to be refreshed by Spark, one that DuckDB has refreshed; return the latter."""
    init_shop(place / "fresh" / "shop", source=export)
    shop = place / "duckdb" / "shop"
    shutil.copytree(place / "fresh" / "shop", shop, symlinks=True)
    return shop, refresh(shop, {})


def compared(duckdb: Path, master: str, prefix: str) -> dict[str, float]:
    """Refresh the same shop with Spark and compare."""
    place = duckdb.parent.parent
    shop = place / f"spark-{prefix}" / "shop"
    shutil.copytree(place / "fresh" / "shop", shop, symlinks=True)
    spark = {"ENDCAP__ENGINE__NAME": "spark", "ENDCAP__ENGINE__MASTER": master, "ENDCAP__ENGINE__MEMORY_LIMIT": "768MB"}
    took_s = refresh(shop, spark | {"JAVA_TOOL_OPTIONS": CHEAP_JAVA})
    found = compare_tables(duckdb, shop, scratch=place / "scratch")
    print(f"{master}: {dict(found.columns_that_differ) or 'no column differs'}", file=sys.stderr)
    # Tables are compared above, and the bundle's name tells the engine's settings.
    one, other = (
        {
            name: digest
            for name, digest in shop_content(each).items()
            if name != "bundle" and not name.startswith("table ")
        }
        for each in (duckdb, shop)
    )
    return {
        f"{prefix}tables_compared": found.tables,
        f"{prefix}rows_compared": found.rows,
        f"{prefix}rows_that_differ": found.rows_that_differ,
        f"{prefix}largest_relative_difference": found.largest_relative_difference,
        f"{prefix}parts_that_differ": sum(one.get(name) != other.get(name) for name in {*one, *other}),
        f"{prefix}spark_s": took_s,
    }


def refresh(shop: Path, settings: dict[str, str]) -> float:
    """Run `endcap refresh`; return its seconds."""
    began = time.perf_counter()
    run = subprocess.run(
        [sys.executable, "-m", "endcap", "refresh", str(shop)],
        env=os.environ | settings,
        stdout=sys.stderr,
        check=False,
    )
    if run.returncode:
        raise SystemExit(f"the refresh of {shop} ended with {run.returncode}")
    return round(time.perf_counter() - began, 1)


if __name__ == "__main__":
    sys.exit(main())
