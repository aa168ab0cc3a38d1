"""How fast models train on a CUDA device, and how much of the device that is; needs one.

`python -m benchmarks.training_cuda [--quick] [--out FILE]`.

- `two_tower_*_B`: two tables of 1 M x 64, steps of B examples; `loop_to_bare`: seconds of steps alone, with batches
  that are there, over those of the whole loop; `loader_share`: seconds of making a batch on the processor, in a thread
  of its own, over those of a bare step.
- `sequence_*`: models of a width and a number of blocks, steps of so many tokens, 12,000 items; `bare_peak_share` and
  `peak_share`: floating-point operations of products a second (6 a parameter and token, attention, scored items) over
  the rate of a large bfloat16 product on the same device, measured here.
- `same_seed_differs`, `resumed_differs`: the largest difference of a parameter between two fits of one seed, and
  between one fit and one that was stopped and went on.
- `loss_cpu`, `loss_cuda`: last loss of the same fit, both in float32.
"""

import sys
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.report import arguments, report
from benchmarks.sequence_speed import sequence_speed, visits
from benchmarks.timing import timed
from benchmarks.two_tower_speed import two_tower_speed
from endcap.core.sequences import Catalogue
from endcap.models.sequence import SequenceModel
from endcap.models.training.settings import Progress, TrainingRun, TrainingSettings
from endcap.models.training.source import InMemory

_CUDA = TrainingSettings(device="cuda")
_ITEMS = 12_000
_WIDTHS = ((64, 2), (256, 4), (512, 8))
_TOKENS = (2_048, 16_384, 65_536)


def main() -> int:
    """Measure and report."""
    options = arguments(__doc__)
    if not torch.cuda.is_available():
        print("error: there is no CUDA device here", file=sys.stderr)
        return 1
    peak = _peak()
    figures: dict[str, Any] = {"device": torch.cuda.get_device_name(), "product_tflops": round(peak / 1e12, 1)}
    for batch in (512, 4_096, 16_384):
        found = two_tower_speed(
            rows=1_000_000, steps=20 if options.quick else 60, dense_steps=5, turns=3, batch=batch, settings=_CUDA
        )
        figures |= {f"two_tower_{name}_{batch}": value for name, value in found.items() if name.endswith("wall")}
    for dim, blocks in _WIDTHS[:2] if options.quick else _WIDTHS:
        for tokens in _TOKENS:
            figures |= _sequence(dim, blocks, tokens, peak)
            print(dim, blocks, tokens, figures[f"sequence_peak_share_{dim}x{blocks}_{tokens}"], flush=True)
    figures |= _same()
    report("training_cuda", figures, options)
    return 0


def _sequence(dim: int, blocks: int, tokens: int, peak: float) -> dict[str, Any]:
    recipe = SequenceModel(dim=dim, blocks=blocks, heads=max(2, dim // 64), tokens=tokens, epochs=1)
    found = sequence_speed(num_items=_ITEMS, num_tokens=20 * tokens, turns=3, settings=_CUDA, recipe=recipe)
    of_token = 6 * (blocks * 14 * dim**2 + 2 * dim**2) + 6 * dim * recipe.num_negatives + 12 * blocks * dim * 30
    speed = found["tokens_per_s_wall"]
    figures = {name: value for name, value in found.items() if name.endswith("wall")}
    figures["peak_share"] = round(of_token * speed / peak, 4)
    figures["bare_peak_share"] = round(of_token * speed / found["loop_to_bare_wall"] / peak, 4)
    return {f"sequence_{name}_{dim}x{blocks}_{tokens}": value for name, value in figures.items()}


def _peak() -> float:
    """Return floating-point operations a second of a large product in bfloat16."""
    left, right = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        left @ right
    taken = timed(lambda: [left @ right for _ in range(10)])["wall"] / 10
    return 2 * 8192**3 / taken


def _same() -> dict[str, Any]:
    """Compare fits of one seed: twice, stopped and gone on, and on the processor."""
    sequences = visits(2_000, 60_000)
    catalogue = Catalogue(tuple(f"{item:06}" for item in range(2_000)))
    recipe = SequenceModel(epochs=3, num_negatives=256)
    told: list[Progress] = []

    def fit(**how: Any) -> Any:
        return recipe.train(InMemory(sequences), catalogue, seed=3, run=TrainingRun(**how))

    def stop(progress: Progress) -> None:
        if progress.done > progress.total // 2:
            raise InterruptedError

    first, second = fit(settings=_CUDA), fit(settings=_CUDA)
    with tempfile.TemporaryDirectory() as name:
        often = _CUDA.model_copy(update={"checkpoint_steps": 5})
        try:
            fit(settings=often, checkpoints=Path(name), told=stop)
        except InterruptedError:
            told.clear()
        resumed = fit(settings=often, checkpoints=Path(name))
    figures = {"same_seed_differs": _apart(first, second), "resumed_differs": _apart(first, resumed)}
    plain = recipe.model_copy(update={"dropout": 0.0, "item_dropout": 0.0})  # each device draws numbers of its own
    for device in ("cpu", "cuda"):
        run = TrainingRun(TrainingSettings(device=device, precision="float32"), told=told.append)
        plain.train(InMemory(sequences), catalogue, seed=3, run=run)
        figures[f"loss_{device}"] = round(told[-1].loss, 5)
    return figures


def _apart(one: Any, other: Any) -> float:
    names = [each.name for each in fields(one) if isinstance(getattr(one, each.name), np.ndarray)]
    return max(float(np.abs(getattr(one, name) - getattr(other, name)).max()) for name in names)


if __name__ == "__main__":
    sys.exit(main())
