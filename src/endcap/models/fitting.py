"""Fit any recipe: by steps with the settings of a run, alone or shared by several processes, or as it is."""

import structlog

from endcap.core.sequences import Catalogue, Sequences
from endcap.models.protocol import Algorithm, Scorer, SharedAlgorithm, TrainedAlgorithm
from endcap.models.registry import members_of
from endcap.models.shared_fit import fit_together, is_a_rank
from endcap.models.training.settings import TrainingRun
from endcap.models.training.source import InMemory, Source

__all__ = ["fitted", "trained"]

_log = structlog.get_logger()


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
        return trained(recipe, InMemory(sequences), catalogue, seed=seed, run=run or TrainingRun())
    return recipe.fit(sequences, catalogue, seed=seed)


def trained(recipe: TrainedAlgorithm, source: Source, catalogue: Catalogue, *, seed: int, run: TrainingRun) -> Scorer:
    """Return the model that steps have fitted: those of this process, or of as many as the run's settings say.

    A process that is a rank itself trains its share. A blend is not shared, but its members are.
    """
    if run.settings.ranks > 1 and not is_a_rank():
        if isinstance(recipe, SharedAlgorithm) and recipe.shares_steps:
            return fit_together(recipe, source, catalogue, seed=seed, run=run)
        if not members_of(recipe):
            _log.warning("ranks.not_used", algorithm=recipe.kind, ranks=run.settings.ranks)
    return recipe.train(source, catalogue, seed=seed, run=run)
