"""Fitted models from their folders, whatever their kind. Imports numpy and safetensors, never torch.

A third party's scorer is found through the entry point group `endcap.scorers`, under its algorithm's kind.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from endcap.core.errors import Code, ModelError, near
from endcap.models.protocol import Scorer
from endcap.models.storage import kind_of

__all__ = ["SCORER_GROUP", "check_kind", "load_scorer"]

SCORER_GROUP = "endcap.scorers"
"""Entry points `kind = "module:ScorerClass"` of other packages."""

_OURS = {
    "popular": "endcap.models.popular:PopularScorer",
    "recent": "endcap.models.recent:RecentScorer",
    "item_markov": "endcap.models.item_markov_scorer:ItemMarkovScorer",
    "bought_together": "endcap.models.bought_together:BoughtTogetherScorer",
    "two_tower": "endcap.models.two_tower_scorer:TwoTowerScorer",
    "sequence": "endcap.models.sequence_scorer:SequenceScorer",
    "other_items": "endcap.models.other_items:OtherItems",
    "als": "endcap.models.als_scorer:AlsScorer",
    "blend": "endcap.models.blend_scorer:BlendScorer",
}


def load_scorer(folder: Path) -> Scorer:
    """Load a fitted model.

    Args:
        folder: What `Scorer.save` wrote.

    Raises:
        ModelError: A file is missing or damaged, or nobody knows the kind.
    """
    scorer: Scorer = _scorer_type(kind_of(folder), folder)(folder)
    return scorer


def check_kind(kind: str) -> None:
    """Say that nobody would know how to load models of a kind, before one is fitted.

    Raises:
        ModelError: Nobody knows the kind.
    """
    _scorer_type(kind, Path())


def _scorer_type(kind: str, folder: Path) -> Callable[[Path], Any]:
    """Find the function that loads a kind; modules are imported only when one of theirs is loaded."""
    if kind in _OURS:
        module, name = _OURS[kind].split(":")
        load: Callable[[Path], Any] = getattr(import_module(module), name).load
        return load
    others = {each.name: each for each in entry_points(group=SCORER_GROUP)}
    if kind not in others:
        raise ModelError(
            f"nobody knows how to load a model of kind '{kind}'; {near(kind, [*_OURS, *others])}",
            where="" if folder == Path() else str(folder),
            fix=f"install the package that made it; it names its scorer as an entry point of the group {SCORER_GROUP}",
            code=Code.MODEL_UNKNOWN,
        )
    found: Callable[[Path], Any] = others[kind].load().load
    return found
