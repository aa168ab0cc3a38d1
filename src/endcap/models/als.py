"""als: matrix factorisation by alternating least squares; needs the library `implicit`: `pip install 'endcap[als]'`.

This file holds the settings alone; the library is loaded when `fit` is called, and is not needed to serve.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from endcap.core.sequences import EVENT_KINDS, Catalogue, Sequences
from endcap.models.als_scorer import AlsScorer

__all__ = ["Als", "EventWeights"]

Weight = Annotated[float, Field(ge=0, le=1000)]


class EventWeights(BaseModel):
    """How much an event says for its item."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    other: Weight = Field(1.0, description="An event of no kind below, and every event where kinds are not told.")
    view_item: Weight = Field(1.0, description="A view.")
    add_to_cart: Weight = Field(2.0, description="Put into the cart.")
    purchase: Weight = Field(3.0, description="Bought.")

    def by_kind(self) -> list[float]:
        """Return the weights in the order of EVENT_KINDS."""
        return [getattr(self, kind or "other") for kind in EVENT_KINDS]


class Als(BaseModel):
    """The recipe of a matrix factorisation: a user and an item match as far as their vectors' inner product says.

    What a user had is to score 1 and all else 0; how much that counts is 1 + alpha x the weights of what the user did
    with the item, and 1 for all else. Order does not matter to it. A history that was not learned from, or has grown
    since, gets its vector by the same equations that made the users' vectors.

    Source: Hu, Koren and Volinsky 2008 (equation 4); Takacs et al. 2011 (conjugate gradients, by `implicit`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["als"] = "als"
    factors: int = Field(
        64, ge=1, le=1024, description="Numbers in a vector. 64: 128 gains little, at 2.5 times the time."
    )
    regularization: float = Field(
        10.0,
        gt=0,
        le=1e6,
        description="Times the square of a vector's length: draws vectors towards zero. 10: 30 is better for half a "
        "million events, and leaves nothing of a small shop's vectors.",
    )
    alpha: float = Field(
        2.0,
        ge=0,
        le=1e6,
        description="What one event of weight 1 adds to how much an item counts. 2: users with hundreds of events want "
        "less, short visits more.",
    )
    iterations: int = Field(15, ge=1, le=1000, description="Times that users' and then items' vectors are made anew.")
    event_weights: EventWeights = Field(
        default_factory=EventWeights, description="How much an event says for its item; events of one item add up."
    )

    def fit(self, sequences: Sequences, catalogue: Catalogue, *, seed: int) -> AlsScorer:
        """Learn from the sequences of each user together; see `models.protocol.Algorithm`.

        Raises:
            ModelError: The library `implicit` is not installed, or the numbers ran out of their range.
        """
        from endcap.models.als_training import train  # noqa: PLC0415 - only training may load the library

        return train(self, sequences, catalogue, seed=seed)
