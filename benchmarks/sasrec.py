"""RecTools' SASRec beside our sequence model: the same sessions, split, questions and machine.

`python -m benchmarks.sasrec [--quick] [--out FILE]`. RecTools stands in an environment of its own (`make
build/rectools/ready`), as it asks for versions that the lock file excludes. Sessions are gmerch's as in
`benchmarks.models`. SASRec hears of items alone (it has no other inputs), and so does `sequence_items`, to which all is
of one instant and of no kind; `sequence` hears of kinds of events and times, too. SASRec has two blocks of width 128,
two heads and a softmax over all items; its settings were not searched. `rectools_EPOCHS_*`: after so many passes, with
the CPU seconds of fitting. Quick: six passes alone. The exit code is 1 when `sequence` is not clearly better.
"""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks import gmerch
from benchmarks.report import arguments, report
from endcap.core.clock import day_start_us
from endcap.core.sequences import Sequences
from endcap.metrics.intervals import paired_interval
from endcap.metrics.ranking import hr_at, ndcg_at
from endcap.models.evaluate import answer
from endcap.models.protocols import Cases, Split, session_next
from endcap.models.registry import algorithm
from endcap.models.transitions import collapsed

Told = TypeVar("Told", Sequences, Cases)

_PYTHON = Path("build/rectools/bin/python")
_FIT = Path(__file__).with_name("rectools_fit.py")
_EPOCHS = (6, 20)
_SEED, _RESAMPLES = 17, 200
_NOT_FOUND = 1 << 30


def main() -> int:
    """Measure and report; the exit code is 1 when ours is not clearly better."""
    options = arguments(__doc__)
    data = Path(os.environ.get("ENDCAP_DATA", "../shared/data")) / "gmerch_ga4"
    if not data.is_dir() or not _PYTHON.exists():
        why = "there is no folder gmerch_ga4 in ENDCAP_DATA" if not data.is_dir() else f"{_PYTHON} is missing"
        report("sasrec", {}, options, unmeasured={"all": why})
        return 0
    found = gmerch.read_gmerch(data)
    split = session_next(found.sequences, split_us=day_start_us(gmerch.SPLIT_DAY))
    items_alone = Split(_items(split.train), _items(split.cases))
    figures: dict[str, Any] = {"cases": len(split.cases)}
    ours = {}
    for name, asked in (("sequence", split), ("sequence_items", items_alone)):
        began = process_time()
        scorer = algorithm("sequence").fit(asked.train, found.catalogue, seed=_SEED)
        seconds = process_time() - began
        ours[name] = answer(scorer, asked.cases, len(found.catalogue), count=20).ranks
        figures |= _told(name, ours[name], split.cases, seconds)
    low = 0.0
    for epochs in _EPOCHS[:1] if options.quick else _EPOCHS:
        ranks, seconds = _rectools(split, epochs)
        figures |= _told(f"rectools_{epochs}", ranks, split.cases, seconds)
        for name, each in ours.items():
            _, ends = paired_interval(
                ndcg_at(each, 10)[None], ndcg_at(ranks, 10)[None], split.cases.users, seed=_SEED, resamples=_RESAMPLES
            )
            figures[f"{name}_over_rectools_{epochs}_ndcg10_low"] = round(float(ends[0, 0]), 4)
        low = figures[f"sequence_over_rectools_{epochs}_ndcg10_low"]
    report("sasrec", figures, options)
    return 0 if low > 0 else 1


def _items(told: Told) -> Told:
    """Leave out what was done, and when."""
    return replace(told, events=None, at_us=np.zeros(len(told.items), np.int64))


def _told(name: str, ranks: NDArray[np.int64], cases: Cases, fit_cpu_s: float) -> dict[str, Any]:
    untied = ~cases.tied
    figures = {
        f"{name}_ndcg10": ndcg_at(ranks, 10).mean(), f"{name}_hr20": hr_at(ranks, 20).mean(),
        f"{name}_untied_ndcg10": ndcg_at(ranks[untied], 10).mean(),
        f"{name}_untied_hr20": hr_at(ranks[untied], 20).mean(),
    }  # fmt: skip
    told = {key: round(float(value), 4) for key, value in figures.items()} | {f"{name}_fit_cpu_s": round(fit_cpu_s, 1)}
    print(told, file=sys.stderr, flush=True)
    return told


def _rectools(split: Split, epochs: int) -> tuple[NDArray[np.int64], float]:
    """Return the ranks of the targets by RecTools' SASRec, and the CPU seconds of its fit."""
    stays = collapsed(split.train.items, split.train.sequence_of())
    sequence_E = split.train.sequence_of()[stays]
    starts = np.searchsorted(sequence_E, np.arange(len(split.train) + 1))
    queries = split.cases.queries()
    with TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "asked.npz", starts=starts, items=split.train.items[stays],
                 q_starts=queries.starts, q_items=queries.items)  # fmt: skip
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
        subprocess.run([_PYTHON, _FIT, folder, str(epochs)], env=environment, check=True, stdout=sys.stderr)
        with np.load(folder / "answered.npz") as answered:
            first_BC, seconds = answered["first"], float(answered["fit_cpu_s"])
    # The current item is no candidate: those behind it move up.
    place_BC = np.cumsum((first_BC != split.cases.masked[:, None]) & (first_BC >= 0), axis=1) - 1
    hit_BC = first_BC == split.cases.targets[:, None]
    ranks = np.where(hit_BC.any(axis=1), place_BC[np.arange(len(first_BC)), hit_BC.argmax(axis=1)], _NOT_FOUND)
    return ranks, seconds


if __name__ == "__main__":
    sys.exit(main())
