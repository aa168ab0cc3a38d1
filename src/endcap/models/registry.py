"""Recipes by name: ours, and those of other packages by the entry point group `endcap.algorithms`.

A package adds an algorithm with `[project.entry-points."endcap.algorithms"] my_model = "my_package:MyRecipe"`, where
MyRecipe is a frozen pydantic model with a `kind` of the same name that passes `endcap.testing.algorithms`; and, for
serving, `[project.entry-points."endcap.scorers"] my_model = "my_package:MyScorer"`.
"""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ValidationError

from endcap.core.errors import Code, ModelError, near
from endcap.models.protocol import Algorithm

__all__ = ["ALGORITHM_GROUP", "algorithm", "algorithm_names", "members_of", "origin"]

ALGORITHM_GROUP = "endcap.algorithms"
"""Entry points `kind = "module:Recipe"` of other packages."""

# By place, as a blend asks for its members here: what is named is imported when it is asked for.
_OURS = {
    "popular": "endcap.models.popular:Popular",
    "recent": "endcap.models.recent:Recent",
    "item_markov": "endcap.models.item_markov:ItemMarkov",
    "bought_together": "endcap.models.bought_together:BoughtTogether",
    "two_tower": "endcap.models.two_tower:TwoTower",
    "sequence": "endcap.models.sequence:SequenceModel",
    "als": "endcap.models.als:Als",
    "blend": "endcap.models.blend:Blend",
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
    recipe_type = _recipe_type(name)
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


def members_of(recipe: Algorithm) -> tuple[str, ...]:
    """Return the names of the algorithms that a recipe is made of; none for most."""
    found: tuple[str, ...] = getattr(recipe, "members", ())
    return found


def origin(name: str) -> str:
    """Return the package and version that an algorithm of another package comes from; "" for one of ours."""
    found = None if name in _OURS else _others().get(name)
    package = found.dist if found is not None else None
    return f"{package.name} {package.version}" if package is not None else ""


def _recipe_type(name: str) -> Any:
    """Find the recipe of a name."""
    if name in _OURS:
        module, found = _OURS[name].split(":")
        return getattr(import_module(module), found)
    others = _others()
    if name not in others:
        raise ModelError(
            f"there is no model '{name}'; {near(name, algorithm_names())}",
            fix="correct the name, or install the package that has it",
            code=Code.MODEL_UNKNOWN,
        )
    return others[name].load()


def _others() -> dict[str, EntryPoint]:
    """Return the algorithms of other packages by name."""
    return {each.name: each for each in entry_points(group=ALGORITHM_GROUP)}
