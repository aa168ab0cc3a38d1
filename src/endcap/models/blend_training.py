"""Fitting of a blend: members on the earlier part, their weights on the later one, members on everything.

Shapes: B cases, N items, M members.
"""

from typing import TYPE_CHECKING

import numpy as np

from endcap.core.sequences import Catalogue, Sequences
from endcap.models.blend_choice import choose_weights, trial_of
from endcap.models.blend_scorer import BlendScorer, shares_of
from endcap.models.registry import algorithm

if TYPE_CHECKING:
    from endcap.models.blend import Blend

__all__ = ["train"]


def train(recipe: "Blend", sequences: Sequences, catalogue: Catalogue, *, seed: int) -> BlendScorer:
    """Choose the weights and fit the members; see `Blend.fit`.

    Where there is too little to choose by, all members weigh the same. Members of weight 0 are not kept.
    """
    recipes = {
        name: algorithm(name, recipe.settings.get(name), where=f"$.models.blend.settings.{name}")
        for name in recipe.members
    }
    trial = trial_of(sequences, len(catalogue), ask=recipe.ask, held_out=recipe.held_out) if len(recipes) > 1 else None
    weights_M = np.full(len(recipes), 1 / len(recipes))
    if trial is not None:
        shares = [
            shares_of(
                member.fit(trial.train, catalogue, seed=seed).score(trial.queries), are_logits=name in recipe.logits
            )
            for name, member in recipes.items()
        ]
        weights_M = choose_weights(trial, shares)
    kept = {
        name: member.fit(sequences, catalogue, seed=seed)
        for (name, member), weight in zip(recipes.items(), weights_M, strict=True)
        if weight > 0
    }
    return BlendScorer(kept, weights_M[weights_M > 0].astype(np.float32), recipe.model_dump(mode="json"))
