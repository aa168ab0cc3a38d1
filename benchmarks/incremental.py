"""Does it matter how the data came? A month of the simulated shop, taken in at once, day by day, and in disorder.

`python -m benchmarks.incremental [--quick] [--out FILE]`. Three shops of one key: one is refreshed once (ingest,
sessionize, featurize); one is refreshed after each day's files; one gets its files in a random order of days with
their rows shuffled, three days at a time, so that most days come late. Figures: parts of the tables compared by digest,
and how many of the two others differ from the first.
"""

import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.report import arguments, report
from endcap.core.tables import TABLES
from endcap.flows.init import init_shop
from endcap.flows.refresh import refresh
from endcap.flows.shop import USER_KEY_VARIABLE, find_shop
from endcap.flows.wiring.batch import open_ledger
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate

_DATA = ("ingest", "sessionize", "featurize")
_AT_A_TIME = 3


def main() -> int:
    """Run it; the exit code is 1 when a part differs."""
    options = arguments(__doc__)
    os.environ[USER_KEY_VARIABLE] = "5e" * 32
    size = {"days": 9, "visitors": 600, "items": 150} if options.quick else {"days": 30, "visitors": 3000, "items": 400}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export = simulate(make_world("small", **size), folder / "world", Popular()).export
        events = sorted(export.glob("events_*.parquet"))
        at_once = _taken_in(folder / "at_once", export, [events])
        by_day = _taken_in(folder / "by_day", export, _by_day(events, 1))
        rng = np.random.default_rng(7)
        order = [events[at] for at in rng.permutation(len(events))]
        shuffled = _taken_in(folder / "shuffled", export, _by_day(order, _AT_A_TIME), rng=rng)
    different = [sorted(name for name in {*at_once, *each} if at_once.get(name) != each.get(name))
                 for each in (by_day, shuffled)]  # fmt: skip
    print(f"differ day by day: {different[0] or 'none'}; in disorder: {different[1] or 'none'}", file=sys.stderr)
    figures = {
        **size,
        "parts_compared": len(at_once),
        "rows": sum(int(told.split("/")[1]) for told in at_once.values()),
        "digest_mismatches_by_day": len(different[0]),
        "digest_mismatches_shuffled": len(different[1]),
    }
    report("incremental", figures, options)
    return 1 if any(different) else 0


def _by_day(files: Sequence[Path], count: int) -> list[Sequence[Path]]:
    return [files[at : at + count] for at in range(0, len(files), count)]


def _taken_in(
    folder: Path, export: Path, batches: Iterable[Sequence[Path]], *, rng: np.random.Generator | None = None
) -> dict[str, str]:
    """Refresh a shop after each batch of files; return what each part of its tables holds in the end."""
    source = folder / "export"
    for path in sorted(path for path in export.rglob("*") if path.is_file() and not path.name.startswith("events_")):
        target = source / path.relative_to(export)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    for number, batch in enumerate(batches):
        for path in batch:
            table = pq.read_table(path)
            rows = table if rng is None else table.take(rng.permutation(len(table)))
            pq.write_table(rows, source / path.name)
        if number == 0:
            init_shop(folder / "shop", source=source)
        refresh(folder / "shop", verbs=_DATA)
        print(f"{folder.name}: {number + 1} times", file=sys.stderr)
    with open_ledger(find_shop(folder / "shop")) as ledger:
        return {
            f"{table}/{day}": f"{part.digest}/{part.rows}"
            for table in TABLES
            for day, part in ledger.parts(table).items()
            if part.rows
        }


if __name__ == "__main__":
    sys.exit(main())
