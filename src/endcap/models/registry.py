"""Recipes by name: ours, and those of other packages by the entry point group `endcap.algorithms`.

A package adds an algorithm with `[project.entry-points."endcap.algorithms"] my_model = "my_package:MyRecipe"`, where
MyRecipe is a frozen pydantic model with a `kind` of the same name that passes `endcap.testing.algorithms`; and, for
serving, `[project.entry-points."endcap.scorers"] my_model = "my_package:MyScorer"`.
"""

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ValidationError

from endcap.core.errors import Code, ModelError, near
from endcap.models.als import Als
from endcap.models.blend import Blend
from endcap.models.bought_together import BoughtTogether
from endcap.models.item_markov import ItemMarkov
from endcap.models.popular import Popular
from endcap.models.protocol import Algorithm
from endcap.models.recent import Recent
from endcap.models.sequence import SequenceModel
from endcap.models.two_tower import TwoTower

__all__ = ["ALGORITHM_GROUP", "algorithm", "algorithm_names", "origin"]

ALGORITHM_GROUP = "endcap.algorithms"
"""Entry points `kind = "module:Recipe"` of other packages."""

_OURS: dict[str, type[Popular | Recent | ItemMarkov | BoughtTogether | TwoTower | SequenceModel | Als | Blend]] = {
    "popular": Popular,
    "recent": Recent,
    "item_markov": ItemMarkov,
    "bought_together": BoughtTogether,
    "two_tower": TwoTower,
    "sequence": SequenceModel,
    "als": Als,
    "blend": Blend,
}


def algorithm_names() -> list[str]:
    """Return the names of all algorithms that are installed, ascending."""
    return sorted({*_OURS, *_others()})


def algorithm(name: str, settings: Mapping[str, Any] | None = None, *, where: str = "") -> Algorithm:
    """Make a recipe.

    Args:
        name: An algorithm's kind.
        settings: What differs from its defaults.
        where: The path of these settings in endcap.toml; of another package's algorithm by default.

    Raises:
        ModelError: There is no such algorithm, or its settings cannot be used.
    """
    recipe_type: Any = _OURS.get(name)
    if recipe_type is None:
        others = _others()
        if name not in others:
            raise ModelError(
                f"there is no model '{name}'; {near(name, algorithm_names())}",
                fix="correct the name, or install the package that has it",
                code=Code.MODEL_UNKNOWN,
            )
        recipe_type = others[name].load()
    try:
        recipe: Algorithm = recipe_type(**(settings or {}))
    except ValidationError as error:
        raise ModelError(
            f"the settings of '{name}' cannot be used: {error}",
            where=where or f"$.models.others.{name}",
            fix="mend these settings in endcap.toml",
            code=Code.CONFIG_INVALID,
        ) from error
    return recipe


def origin(name: str) -> str:
    """Return the package and version that an algorithm of another package comes from; "" for one of ours."""
    found = None if name in _OURS else _others().get(name)
    package = found.dist if found is not None else None
    return f"{package.name} {package.version}" if package is not None else ""


def _others() -> dict[str, EntryPoint]:
    """Return the algorithms of other packages by name."""
    return {each.name: each for each in entry_points(group=ALGORITHM_GROUP)}
