"""Fitting one model of a shop: progress for the user, checkpoints for a run that is killed, a curve for the ledger.

Checkpoints lie in `scratch/train-<model>`: the next run goes on from the latest one, if it fits the same to the same
data.
"""

import shutil
from pathlib import Path
from typing import Any

from endcap.flows.flow import Flow, StepReport
from endcap.flows.model_data import ModelData
from endcap.models.protocol import Algorithm, Scorer, TrainedAlgorithm
from endcap.models.training.settings import Progress, TrainingRun
from endcap.models.training.source import InMemory

__all__ = ["fit_model", "forget_checkpoints"]

_DIGITS = 6


def fit_model(flow: Flow, name: str, recipe: Algorithm, data: ModelData) -> tuple[Scorer, list[dict[str, Any]]]:
    """Fit a model on all data.

    Returns:
        The model, and how training went: `done`, `total`, `loss`, `examples_per_s` and `validation` of each telling;
        empty for an algorithm that is not trained by steps.
    """
    if not isinstance(recipe, TrainedAlgorithm):
        return recipe.fit(data.sequences, data.catalogue, seed=flow.seed), []
    curve: list[dict[str, Any]] = []

    def told(progress: Progress) -> None:
        curve.append(_plain(progress))
        flow.progress(StepReport("train", "under way", note=f"{name}: {progress.text()}"))

    run = TrainingRun(flow.shop.config.models.training, _checkpoints(flow, name), told)
    return recipe.train(InMemory(data.sequences), data.catalogue, seed=flow.seed, run=run), curve


def forget_checkpoints(flow: Flow, name: str) -> None:
    """Remove the checkpoints of a model that is kept now."""
    shutil.rmtree(_checkpoints(flow, name), ignore_errors=True)


def _checkpoints(flow: Flow, name: str) -> Path:
    return flow.shop.scratch / f"train-{name}"


def _plain(progress: Progress) -> dict[str, Any]:
    validation = None if progress.validation is None else round(progress.validation, _DIGITS)
    return {
        "done": progress.done, "total": progress.total, "loss": round(progress.loss, _DIGITS),
        "examples_per_s": round(progress.examples_per_s), "validation": validation,
    }  # fmt: skip
