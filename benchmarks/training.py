"""Training on the processor: what the loop wastes, what tables by rows and two ranks gain, and whether bytes stay.

`python -m benchmarks.training [--quick] [--out FILE]`. One thread a process; figures of speed are medians of turns.

- `two_tower_*`: two tables of 1 M x 64 (ids and features), steps of 512 examples. `loop_to_bare`: seconds of steps
  alone, with batches that are there already, over those of the whole loop (>= .95). `loader_share`: seconds of making a
  batch over those of a bare step (<= .05); the loop makes them in a thread beside. `times_dense_adam`: a bare step of
  tables that Adam changes as a whole, over a bare step of ours (>= 10).
- `sequence_*`: 12,000 items. `times_full_softmax`: seconds of the loop with a softmax over all items in float32, over
  those with drawn items (>= 2). `loop_to_bare` as above (>= .9).
- `ranks_*`: two ranks of the sequence model over one, both with steps of two parts: examples a second (>= 1.6), and how
  far their last losses are apart (<= 1e-5). `most_speed_up`: of two fits beside each other that know nothing of each
  other, about what is to be had on that machine at that time. `dense_two_tower_speed_up`: of `two_tower` with 40,000
  items, whose tables are learned as a whole, the best run of each: their gradients travel each step. Then rows a second
  of a table of 1 M x 64 that two ranks share, over an embedding of DTensor's whose rows are sharded, with its Adagrad
  (>= 5).
- `exactness_*`: fits killed after a random number of examples and gone on, of both models, by one rank and two, on from
  one to two and from two to one: how many were tried, and how many have the digest of the fit that was not killed.
"""

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ranks import run_ranks
from benchmarks.report import arguments, report
from benchmarks.sequence_speed import sequence_speed
from benchmarks.two_tower_speed import two_tower_speed
from endcap.models.sequence import SequenceModel
from endcap.models.training.settings import TrainingSettings

_PROCESSOR = TrainingSettings(device="cpu")
_SEED = 17
_BARS = {
    "two_tower_loop_to_bare_wall": 0.95,
    "two_tower_times_dense_adam_cpu": 10,
    "sequence_times_full_softmax_cpu": 2,
    "sequence_loop_to_bare_wall": 0.9,
    "ranks_speed_up": 1.6,
    "ranks_times_dtensor": 5,
}


def main() -> int:
    """Measure and report; the exit code is 1 where bytes differ. Speeds that are short are named: machines vary."""
    options = arguments(__doc__)
    steps, turns = (60, 3) if options.quick else (200, 7)
    found = two_tower_speed(rows=1_000_000, steps=steps, dense_steps=3, turns=turns, batch=512, settings=_PROCESSOR)
    figures = {f"two_tower_{name}": value for name, value in found.items()}
    num_tokens = 40_000 if options.quick else 150_000
    found = sequence_speed(
        num_items=12_000, num_tokens=num_tokens, turns=turns, settings=_PROCESSOR, recipe=SequenceModel(epochs=1)
    )
    figures |= {f"sequence_{name}": value for name, value in found.items()}
    print(figures, flush=True)
    figures |= _ranks(num_tokens, turns)
    print(figures, flush=True)
    figures |= _exactness(10)
    short = [f"{name} {figures[name]} of {bar}" for name, bar in _BARS.items() if figures[name] < bar]
    print("short: " + (", ".join(short) or "nothing"), flush=True)
    report("training", figures, options)
    is_exact = figures["exactness_equal"] == figures["exactness_tried"] and figures["ranks_loss_apart"] <= 1e-5
    return 0 if is_exact else 1


def _ranks(num_tokens: int, turns: int) -> dict[str, Any]:
    given = {"num_items": 12_000, "num_tokens": num_tokens, "epochs": 1, "tables": "by_rows", "seed": _SEED}
    told: dict[int, list[dict[str, Any]]] = {1: [], 2: []}
    tables, apart, dense = [], [], {1: 0.0, 2: 0.0}
    for _ in range(turns // 2 + 1):
        for size, runs in told.items():
            runs.append(run_ranks("train", size, model="sequence", **given))
            dense_run = run_ranks("train", size, model="two_tower", **(given | {"num_items": 40_000, "tables": "auto"}))
            dense[size] = max(dense[size], dense_run["examples_per_s"])
        with ThreadPoolExecutor(2) as beside:
            alone = [beside.submit(run_ranks, "train", 1, model="sequence", **given) for _ in range(2)]
        apart.append(sum(each.result()["examples_per_s"] for each in alone))
        tables.append(run_ranks("table", 2, num_rows=1_000_000, num_read=4_000))
    speeds = {size: float(np.median([run["examples_per_s"] for run in runs])) for size, runs in told.items()}
    losses = [run["loss"] for runs in told.values() for run in runs]
    return {
        "ranks_speed_up": round(speeds[2] / speeds[1], 3),
        "ranks_most_speed_up": round(float(np.median(apart)) / speeds[1], 3),
        "ranks_dense_two_tower_speed_up": round(dense[2] / dense[1], 3),
        "ranks_examples_per_s": {str(size): round(speed) for size, speed in speeds.items()},
        "ranks_loss_apart": max(losses) - min(losses),
        "ranks_times_dtensor": round(
            float(np.median([each["rows_per_s_ours"] / each["rows_per_s_dtensor"] for each in tables])), 1
        ),
    }


def _exactness(times: int) -> dict[str, Any]:
    """Kill and go on, each time at another example, with another model, tables and numbers of ranks."""
    rng = np.random.default_rng(_SEED)
    equal, tried = 0, []
    for number in range(times):
        given = {
            "model": ("sequence", "two_tower")[number % 2], "tables": ("by_rows", "dense")[number // 2 % 2],
            "num_items": 300, "num_tokens": 8_000, "epochs": 2, "seed": number, "checkpoint_steps": 2,
        }  # fmt: skip
        before, after = ((1, 1), (1, 2), (2, 1), (2, 2))[number % 4]
        whole = run_ranks("train", 1, **given)
        kill_at = int(rng.integers(1, whole["examples"]))
        with tempfile.TemporaryDirectory() as folder:
            killed = run_ranks("train", before, **given, checkpoints=folder, kill_at=kill_at)
            kept = len(list(Path(folder).glob("[0-9]*")))
            resumed = run_ranks("train", after, **given, checkpoints=folder)
        again = run_ranks("train", 1, **given)
        is_equal = not killed and resumed["digest"] == whole["digest"] == again["digest"]
        equal += is_equal
        tried.append(
            f"{given['model']} {given['tables']} {before}->{after} killed at {kill_at} of {whole['examples']}, "
            f"{kept} checkpoints: {'equal' if is_equal else 'DIFFERENT'}"
        )
        print(tried[-1], flush=True)
    return {"exactness_tried": times, "exactness_equal": equal, "exactness_runs": tried}


if __name__ == "__main__":
    sys.exit(main())
