"""Which settings of a recipe are worth searching, and between what: told beside the recipe as `searched`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Among", "Between", "Searched", "searched_of"]


@dataclass(frozen=True)
class Between:
    """A number between two ends.

    Args:
        low: The least.
        high: The greatest.
        by_factor: Whether halves and doubles are what matters, as for a learning rate.
        whole: Whether it is a whole number.
    """

    low: float
    high: float
    by_factor: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Among:
    """One of several values."""

    values: tuple[Any, ...]


Searched = Mapping[str, Between | Among]


def searched_of(recipe: Any) -> Searched:
    """Return the settings of a recipe that are searched; none for one that does not tell."""
    found: Searched = getattr(recipe, "searched", {})
    return found
