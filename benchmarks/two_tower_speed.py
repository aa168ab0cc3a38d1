"""How fast the two-tower model trains on large tables: the whole loop beside its bare step, and beside dense Adam.

Two tables of 1 M x 64 (ids, and features of which an item has four), steps of 512 examples on the processor. Item
numbers follow Zipf's law; a session has 4 to 12 of them.
"""

from typing import Any

import numpy as np

from benchmarks.timing import CLOCKS, timed
from endcap.core.sequences import Sequences
from endcap.models.training.context import Context
from endcap.models.training.lookup import Reading, change
from endcap.models.training.loop import train
from endcap.models.training.place import place_of
from endcap.models.training.ranks import Ranks
from endcap.models.training.settings import TrainingRun, TrainingSettings
from endcap.models.training.source import InMemory
from endcap.models.two_tower import TwoTower
from endcap.models.two_tower_batches import Contents
from endcap.models.two_tower_training import TwoTowerTask

__all__ = ["two_tower_speed"]

SEED = 17


def walks(num_items: int, num_examples: int) -> Sequences:
    """Return sessions of random items, so many elements in all, or a few more."""
    rng = np.random.default_rng(SEED)
    lengths = rng.integers(4, 13, num_examples // 8 + 1)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    items = rng.permutation(num_items)[np.minimum(rng.zipf(1.1, starts[-1]) - 1, num_items - 1)].astype(np.int32)
    return Sequences(starts, items, np.arange(len(items)) * 1_000_000, np.arange(len(lengths)))


def two_tower_speed(
    *, rows: int, steps: int, dense_steps: int, turns: int, batch: int, settings: TrainingSettings
) -> dict[str, Any]:
    """Measure turn by turn; every figure is the median of the turns.

    Args:
        rows: Of each of both tables.
        steps: Of the loop and of the bare step.
        dense_steps: Of dense Adam.
        turns: How often.
        batch: Examples of a step.
        settings: Device and precision.
    """
    rng = np.random.default_rng(SEED)
    contents = Contents(rng.integers(1, rows, (rows, 4)), rows - 1)
    source = InMemory(walks(rows, steps * batch))
    place = place_of(settings)
    found: dict[str, list[float]] = {}
    with place.training():
        context = Context(place, Ranks(), SEED)
        dense = TwoTowerTask(_recipe("dense", batch), source, contents, context)
        ours = TwoTowerTask(_recipe("by_rows", batch), source, contents, context)
        made = [step.parts[0] for step in ours.steps(0, [0], 1)]
        for _ in range(turns):
            loading = timed(lambda: [None for _ in ours.steps(0, [0], 1)])
            bare = timed(lambda: _bare(ours, made, context))
            loop = timed(lambda: train(ours, TrainingRun(settings), context, of=""))
            slow = timed(lambda: _bare(dense, made[:dense_steps], context))
            num = len(made)
            for clock in CLOCKS:
                a_step = bare[clock] / num
                figures = {
                    f"examples_per_s_{clock}": ours.total / loop[clock],
                    f"loop_to_bare_{clock}": a_step * num / loop[clock],
                    f"loader_share_{clock}": loading[clock] / num / a_step,
                    f"times_dense_adam_{clock}": slow[clock] / dense_steps / a_step,
                }
                for name, value in figures.items():
                    found.setdefault(name, []).append(value)
    return {name: round(float(np.median(values)), 3) for name, values in found.items()}


def _recipe(tables: Any, batch: int) -> TwoTower:
    return TwoTower(tables=tables, epochs=1, batch=batch)


def _bare(task: TwoTowerTask, made: list[Any], context: Context) -> None:
    """Take steps with batches that are there already, and nothing around them."""
    task.module.train()
    optimizer = task.optimizer()
    for batch in made:
        optimizer.zero_grad()
        reading = Reading(task.reads, batch, context.place)
        rows = reading.rows()
        with context.place.computing():
            loss = task.loss(reading.batch(), rows)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
        change([reading], 0.05)
