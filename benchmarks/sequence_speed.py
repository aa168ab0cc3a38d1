"""How fast the sequence model trains: beside a softmax over all items in float32, and the loop beside its bare step.

Sequences of 5 to 50 of 12,000 items whose numbers follow Zipf's law, with kinds of events and times.
"""

from typing import Any

import numpy as np
import torch

from benchmarks.timing import CLOCKS, timed
from endcap.core.sequences import Sequences
from endcap.models.sequence import SequenceModel
from endcap.models.sequence_training import SequenceTask
from endcap.models.training.context import Context
from endcap.models.training.lookup import Reading
from endcap.models.training.loop import train
from endcap.models.training.place import place_of
from endcap.models.training.ranks import Ranks
from endcap.models.training.settings import TrainingRun, TrainingSettings
from endcap.models.training.source import InMemory

__all__ = ["SEED", "sequence_speed", "visits"]

SEED = 17


def visits(num_items: int, num_tokens: int) -> Sequences:
    """Return sequences of random items, so many elements in all, or a few more."""
    rng = np.random.default_rng(SEED)
    lengths = rng.integers(5, 51, num_tokens // 27 + 1)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    items = rng.permutation(num_items)[np.minimum(rng.zipf(1.1, starts[-1]) - 1, num_items - 1)].astype(np.int32)
    at_us = np.cumsum(rng.integers(1, 3_600_000_000, len(items)))
    return Sequences(
        starts, items, at_us, np.arange(len(lengths)), events=rng.integers(0, 4, len(items)).astype(np.int8)
    )


def sequence_speed(
    *, num_items: int, num_tokens: int, turns: int, settings: TrainingSettings, recipe: SequenceModel
) -> dict[str, Any]:
    """Measure turn by turn; every figure is the median of the turns.

    Args:
        num_items: N.
        num_tokens: Elements of a pass.
        turns: How often.
        settings: Device and precision of the model as it is trained; the softmax over all items is in float32.
        recipe: Of the model.
    """
    source = InMemory(visits(num_items, num_tokens))
    full = recipe.model_copy(update={"num_negatives": num_items // 4 + 1})
    wide = settings.model_copy(update={"precision": "float32"})
    found: dict[str, list[float]] = {}
    tasks, contexts, made = {}, {}, {}
    for name, (each, how) in {"ours": (recipe, settings), "full": (full, wide)}.items():
        contexts[name] = Context(place_of(how), Ranks(), SEED)
        tasks[name] = SequenceTask(each, source, num_items, contexts[name])
        made[name] = [step.parts[0] for step in tasks[name].steps(0, [0], 1)]
    tokens = sum(len(batch.target_at_T) for batch in made["ours"])
    with contexts["ours"].place.training():
        for _ in range(turns):
            bare = timed(lambda: _bare(tasks["ours"], made["ours"], contexts["ours"]))
            loop = timed(lambda: train(tasks["ours"], TrainingRun(settings), contexts["ours"], of="", longest_step=1.0))
            slow = timed(lambda: train(tasks["full"], TrainingRun(wide), contexts["full"], of="", longest_step=1.0))
            for clock in CLOCKS:
                figures = {
                    f"tokens_per_s_{clock}": tokens / loop[clock],
                    f"times_full_softmax_{clock}": slow[clock] / loop[clock],
                    f"loop_to_bare_{clock}": bare[clock] / loop[clock],
                }
                for name, value in figures.items():
                    found.setdefault(name, []).append(value)
    return {name: round(float(np.median(values)), 3) for name, values in found.items()}


def _bare(task: SequenceTask, made: list[Any], context: Context) -> None:
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
        torch.nn.utils.clip_grad_norm_(task.module.parameters(), 1.0)
        optimizer.step()
