"""Fitting one model of a shop: progress for the user, checkpoints for a run that is killed, a curve for the ledger.

Checkpoints lie in `scratch/train-<model>`: the next run goes on from the latest one, if it fits the same to the same
data.
"""

import shutil
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from endcap.core.tables import SEQUENCES
from endcap.flows.flow import Flow, StepReport
from endcap.flows.model_data import ModelData, catalogue_of, read_items, read_model_data
from endcap.models.fitting import trained
from endcap.models.protocol import Algorithm, Scorer, TrainedAlgorithm
from endcap.models.training.files import Files
from endcap.models.training.settings import Progress, TrainingRun
from endcap.models.training.source import InMemory, Source

__all__ = ["Learned", "fit_model", "forget_checkpoints"]

_DIGITS = 6


class Learned:
    """All that models of a run are fitted on; read when it is first needed."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.catalogue = catalogue_of(read_items(flow))

    @cached_property
    def data(self) -> ModelData:
        """Everything, in memory."""
        return read_model_data(self.flow)

    @cached_property
    def files(self) -> Files | None:
        """The row groups of the table; None where everything is read into memory."""
        window = self.flow.shop.config.models.training.window
        if not window:
            return None
        files = self.flow.tables.files(SEQUENCES, self.flow.days(SEQUENCES))
        return Files.of(files, self.catalogue.item_ids, window=window)

    def source(self, recipe: TrainedAlgorithm) -> Source:
        """What a model learns from that is trained by steps."""
        if self.files is not None and recipe.reads_windows:
            return self.files
        return InMemory(self.data.sequences)

    def text(self) -> str:
        """Return how much it is, for the user."""
        if "data" in self.__dict__:
            return f"{len(self.data.sequences):,} sequences"
        return f"{len(self.files.sizes) if self.files else 0:,} row groups"


def fit_model(flow: Flow, name: str, recipe: Algorithm, learned: Learned) -> tuple[Scorer, list[dict[str, Any]]]:
    """Fit a model on all data.

    Returns:
        The model, and how training went: `done`, `total`, `loss`, `examples_per_s` and `validation` of each telling;
        empty for an algorithm that is not trained by steps.
    """
    if not isinstance(recipe, TrainedAlgorithm):
        return recipe.fit(learned.data.sequences, learned.catalogue, seed=flow.seed), []
    curve: list[dict[str, Any]] = []

    def told(progress: Progress) -> None:
        curve.append(_plain(progress))
        flow.progress(StepReport("train", "under way", note=f"{name}: {progress.text()}"))

    settings, scratch = flow.shop.config.models.training, flow.shop.scratch
    run = TrainingRun(settings, _checkpoints(flow, name), told, scratch=scratch)
    return trained(recipe, learned.source(recipe), learned.catalogue, seed=flow.seed, run=run), curve


def forget_checkpoints(flow: Flow, names: Iterable[str]) -> None:
    """Remove the checkpoints of models that are kept now."""
    for name in names:
        shutil.rmtree(_checkpoints(flow, name), ignore_errors=True)


def _checkpoints(flow: Flow, name: str) -> Path:
    return flow.shop.scratch / f"train-{name}"


def _plain(progress: Progress) -> dict[str, Any]:
    validation = None if progress.validation is None else round(progress.validation, _DIGITS)
    return {
        "done": progress.done, "total": progress.total, "loss": round(progress.loss, _DIGITS),
        "examples_per_s": round(progress.examples_per_s), "validation": validation,
    }  # fmt: skip
