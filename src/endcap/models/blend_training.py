"""Fitting of a blend: members on the earlier part, their weights on the later one, members on everything.

Shapes: M members.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from endcap.core.sequences import Catalogue, Sequences
from endcap.models.blend_choice import choose_weights, shortlists_of
from endcap.models.blend_scorer import BlendScorer
from endcap.models.blend_trial import trial_of
from endcap.models.fitting import fitted
from endcap.models.protocol import Algorithm
from endcap.models.registry import algorithm
from endcap.models.training.settings import TrainingRun

if TYPE_CHECKING:
    from endcap.models.blend import Blend

__all__ = ["train"]


def train(recipe: "Blend", sequences: Sequences, catalogue: Catalogue, *, seed: int, run: TrainingRun) -> BlendScorer:
    """Choose the weights and fit the members; see `Blend.train`.

    Where there is too little to choose by, all members weigh the same. Members of weight 0 are not kept. Each fit has
    checkpoints of its own: a run that was killed goes through those before it by their last ones.
    """
    recipes = {
        name: algorithm(name, recipe.settings.get(name), where=f"$.models.blend.settings.{name}")
        for name in recipe.members
    }
    weights_M = _weights(recipe, recipes, sequences, catalogue, seed=seed, run=run)
    kept = {
        name: fitted(member, sequences, catalogue, seed=seed, run=_beside(run, name))
        for (name, member), weight in zip(recipes.items(), weights_M, strict=True)
        if weight > 0
    }
    return BlendScorer(kept, weights_M[weights_M > 0].astype(np.float32), recipe.model_dump(mode="json"))


def _weights(
    recipe: "Blend",
    members: Mapping[str, Algorithm],
    sequences: Sequences,
    catalogue: Catalogue,
    *,
    seed: int,
    run: TrainingRun,
) -> NDArray[np.float64]:
    """Return M weights >= 0 that add up to one; the models that they were chosen by are not kept."""
    equal_M = np.full(len(members), 1 / len(members))
    if len(members) == 1:
        return equal_M
    trial = trial_of(sequences, len(catalogue), ask=recipe.ask, held_out=recipe.held_out)
    if trial is None:
        return equal_M
    on_trial = {
        name: fitted(member, trial.train, catalogue, seed=seed, run=_beside(run, f"trial-{name}"))
        for name, member in members.items()
    }
    return choose_weights(shortlists_of(trial, on_trial, len(catalogue), logits=recipe.logits))


def _beside(run: TrainingRun, name: str) -> TrainingRun:
    return run if run.checkpoints is None else replace(run, checkpoints=run.checkpoints / name)
