"""Fit any recipe: those that are trained by steps with the settings of a run, the others as they are."""

from endcap.core.sequences import Catalogue, Sequences
from endcap.models.protocol import Algorithm, Scorer, TrainedAlgorithm
from endcap.models.training.settings import TrainingRun
from endcap.models.training.source import InMemory

__all__ = ["fitted"]


def fitted(
    recipe: Algorithm, sequences: Sequences, catalogue: Catalogue, *, seed: int, run: TrainingRun | None = None
) -> Scorer:
    """Return the fitted model; see `models.protocol.Algorithm`.

    Args:
        recipe: What is fitted.
        sequences: S sequences.
        catalogue: N items.
        seed: Of the run.
        run: How recipes are trained that are trained by steps; None as a run is by default.
    """
    if isinstance(recipe, TrainedAlgorithm):
        return recipe.train(InMemory(sequences), catalogue, seed=seed, run=run or TrainingRun())
    return recipe.fit(sequences, catalogue, seed=seed)
