"""Fitting of a blend: members on the earlier part, their weights on the later one, members on everything.

Shapes: M members.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from endcap.core.sequences import Catalogue, Sequences
from endcap.models.blend_choice import choose_weights, shortlists_of
from endcap.models.blend_scorer import BlendScorer
from endcap.models.blend_trial import trial_of
from endcap.models.fitting import fitted
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
    trial = trial_of(sequences, len(catalogue), ask=recipe.ask, held_out=recipe.held_out) if len(recipes) > 1 else None
    weights_M = np.full(len(recipes), 1 / len(recipes))
    if trial is not None:
        on_trial = {
            name: fitted(member, trial.train, catalogue, seed=seed, run=_beside(run, f"trial-{name}"))
            for name, member in recipes.items()
        }
        weights_M = choose_weights(shortlists_of(trial, on_trial, len(catalogue), logits=recipe.logits))
    kept = {
        name: fitted(member, sequences, catalogue, seed=seed, run=_beside(run, name))
        for (name, member), weight in zip(recipes.items(), weights_M, strict=True)
        if weight > 0
    }
    return BlendScorer(kept, weights_M[weights_M > 0].astype(np.float32), recipe.model_dump(mode="json"))


def _beside(run: TrainingRun, name: str) -> TrainingRun:
    return run if run.checkpoints is None else replace(run, checkpoints=run.checkpoints / name)
