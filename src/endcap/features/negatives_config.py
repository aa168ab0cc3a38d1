"""Settings of the samplers of negatives: the list `[[features.negatives]]` of endcap.toml, one class for each kind."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "HardNegatives",
    "NegativeSampler",
    "PopularityNegatives",
    "UnclickedNegatives",
    "UniformNegatives",
]

_NUM = Field(
    4, ge=1, le=1000, description="Draws for each example, exactly. 4: two-tower training adds those of its batch."
)


class UniformNegatives(BaseModel):
    """Every item that an event named in the 30 days before the day is as likely as any other, the target too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["uniform"] = "uniform"
    num: int = _NUM


class PopularityNegatives(BaseModel):
    """Items of the 30 days before the day by how often they were viewed, carted and bought, the target too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["popularity"] = "popularity"
    num: int = _NUM
    power: float = Field(
        0.75,
        ge=0,
        le=1,
        description="Items are drawn by count^power; 1 is by popularity, 0 knows only whether an item was touched: one "
        "that was merely shown weighs a thousandth. .75: the usual middle (Mikolov et al. 2013).",
    )


class UnclickedNegatives(BaseModel):
    """Items that a list of the same session showed before the target's instant, and that the session never took up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["unclicked"] = "unclicked"
    num: int = _NUM


class HardNegatives(BaseModel):
    """The target's nearest neighbours among the item vectors of one fitted model.

    The model is named by its version, not as "the latest": examples that depend on the model that is fitted on them
    would change with every refresh, which would fit another model, and no refresh would ever come to rest. A pinned
    model is kept for as long as it is named here. It knows what it was fitted on: one of days before the test days
    keeps `endcap evaluate` honest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["hard"] = "hard"
    num: int = _NUM
    model: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]*$", description="Name of the model, a folder of SHOP/models, such as two_tower."
    )
    version: str = Field(
        pattern=r"^[0-9a-f]{16}$",
        description="Version of the fitted model, a folder of SHOP/models/NAME: 16 hex digits. Pinned, so that "
        "examples do not depend on the model that is fitted on them.",
    )
    first: int = Field(
        11,
        ge=1,
        le=10_000,
        description="Rank of the nearest neighbour that may be drawn; 1 is the nearest item that is not the target. "
        "11: the nearest ten are often what the shopper would have liked as well.",
    )
    last: int = Field(
        100, ge=1, le=10_000, description="Rank of the farthest neighbour that may be drawn. 100: what sources propose."
    )

    @model_validator(mode="after")
    def _is_a_window(self) -> "HardNegatives":
        """Accept ranks in order."""
        if self.last < self.first:
            raise ValueError(f"last = {self.last} is nearer than first = {self.first}")
        return self


NegativeSampler = Annotated[
    UniformNegatives | PopularityNegatives | UnclickedNegatives | HardNegatives, Field(discriminator="kind")
]
"""One sampler of negatives, chosen by its `kind`."""
