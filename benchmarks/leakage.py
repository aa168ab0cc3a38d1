"""The leakage firewall: how many planted mistakes are found, and what is reported on shops that should have none?

`python -m benchmarks.leakage [--quick] [--out FILE]` plants the mistakes of endcap.testing, makes shops of
$ENDCAP_DATA/gmerch_ga4, of online_retail and of a simulated export by the data steps (quick: their first days), and
runs `endcap leakage` on them. A mistake counts as found when nothing but its own leak is reported, in its own place.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.command import endcap
from benchmarks.report import arguments, report
from endcap.engines.adapters.duckdb import DuckDBEngine
from endcap.features.leakage import find_leaks
from endcap.features.leakage_of_frame import find_leaks_of_frame
from endcap.testing.leaky_frame import FRAME_MISTAKES, MORE_FRAME_MISTAKES, ROLES, clean_frame
from endcap.testing.leaky_shop import FEATURES, clean_shop, shop_tables
from endcap.testing.shop_mistakes import MISTAKES, MORE_MISTAKES, broken_shop

_CLEAN_FRAMES = 1_000
_SHOPS = {
    "gmerch": ("gmerch_ga4", [], "2016-08-14"),
    "online_retail": ("online_retail", ["--currency", "GBP"], "2010-01-31"),
}
"""Name of a figure -> folder of the data, what init is told, and the last day of a quick run."""


def main() -> int:
    """Run it; the exit code is 1 when a mistake is missed or a clean shop has a finding."""
    options = arguments(__doc__)
    data = Path(os.environ.get("ENDCAP_DATA", "../shared/data")).resolve()
    figures: dict[str, Any] = {}
    unmeasured: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures |= _planted(folder)
        figures |= _clean_frames(100 if options.quick else _CLEAN_FRAMES)
        for shop, (source, told, through) in _SHOPS.items():
            if (data / source).is_dir():
                figures |= _looked_through(shop, folder / shop, data / source, told, through if options.quick else "")
            else:
                unmeasured[f"findings_{shop}"] = f"there is no folder {source} in ENDCAP_DATA"
        figures |= _simulated(folder, quick=options.quick)
    report("leakage", figures, options, unmeasured=unmeasured)
    missed = figures["planted_cases"] + figures["more_cases"] - figures["planted_found"] - figures["more_found"]
    return 1 if missed or any(count for name, count in figures.items() if name.startswith("findings_")) else 0


def _planted(folder: Path) -> dict[str, int]:
    """Plant the twenty, and twelve more."""
    engine = DuckDBEngine(memory_limit="1GB", threads=2, spill=folder / "spill")
    clean, frame = clean_shop(engine), clean_frame()

    def in_shop(name: str) -> set[tuple[str, str]]:
        tables = shop_tables(engine, broken_shop(engine, clean, name))
        found = find_leaks(engine, tables, FEATURES, click_events=["select_item"]).findings
        return {(each.name, each.table) for each in found}

    def in_frame(name: str) -> set[tuple[str, str]]:
        mistake = (FRAME_MISTAKES | MORE_FRAME_MISTAKES)[name]
        return {(each.name, each.column) for each in find_leaks_of_frame(mistake.make(frame), ROLES).findings}

    found = {
        "planted_found": _count(MISTAKES, in_shop, "table") + _count(FRAME_MISTAKES, in_frame, "column"),
        "planted_cases": len(MISTAKES) + len(FRAME_MISTAKES),
        "more_found": _count(MORE_MISTAKES, in_shop, "table") + _count(MORE_FRAME_MISTAKES, in_frame, "column"),
        "more_cases": len(MORE_MISTAKES) + len(MORE_FRAME_MISTAKES),
    }
    engine.close()
    return found


def _count(mistakes: dict[str, Any], look: Any, place: str) -> int:
    hits = 0
    for name, mistake in mistakes.items():
        found = look(name)
        is_found = found == {(mistake.leak, getattr(mistake, place))}
        hits += is_found
        print(f"{'found ' if is_found else 'MISSED'} {name}: {_told(found)}", file=sys.stderr)
    return hits


def _told(found: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name} in {place}" for name, place in sorted(found)) or "nothing"


def _clean_frames(repeats: int) -> dict[str, int]:
    """Count the clean frames that have a finding."""
    alarms = sum(
        bool(find_leaks_of_frame(clean_frame(seed=seed), ROLES).findings) for seed in range(1_000, 1_000 + repeats)
    )
    return {"clean_frames": repeats, "findings_clean_frames": alarms}


def _simulated(folder: Path, *, quick: bool) -> dict[str, Any]:
    size = ["--days", "14", "--visitors", "4000", "--items", "300"] if quick else []
    endcap("simulate", str(folder / "world"), "--preset", "small", *size)
    return _looked_through("simulated", folder / "simulated", folder / "world" / "export", [], "")


def _looked_through(name: str, shop: Path, source: Path, told: list[str], through: str) -> dict[str, Any]:
    """Make a shop by the data steps and look it through."""
    endcap("init", str(shop), "--source", str(source), *told)
    for verb in ("ingest", "sessionize", "featurize"):
        endcap(verb, str(shop), "--json", *(["--through", through] if through else []))
    began = time.perf_counter()
    found = json.loads(endcap("leakage", str(shop), "--json"))
    seconds = round(time.perf_counter() - began, 1)
    for finding in found["findings"]:
        print(f"{name}: {finding}", file=sys.stderr)
    return {f"findings_{name}": len(found["findings"]), f"rows_{name}": found["num_rows"], f"seconds_{name}": seconds}


if __name__ == "__main__":
    sys.exit(main())
