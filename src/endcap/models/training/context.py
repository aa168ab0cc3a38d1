"""What every part of a fit has to know: where it computes, who else does, and the seed."""

from dataclasses import dataclass

from endcap.models.training.place import Place
from endcap.models.training.ranks import Ranks

__all__ = ["Context"]


@dataclass(frozen=True)
class Context:
    """What a fit is under way with.

    Args:
        place: Device and precision.
        ranks: The processes that train together.
        seed: Of the run.
    """

    place: Place
    ranks: Ranks
    seed: int
