"""Settings of the features room: `[features]` of endcap.toml."""

from pydantic import BaseModel, ConfigDict, Field, field_validator

from endcap.core.errors import near
from endcap.core.tables import CANONICAL_EVENT_NAMES
from endcap.features.negatives_config import NegativeSampler, PopularityNegatives

__all__ = ["FeaturesConfig"]


class FeaturesConfig(BaseModel):
    """What sequences are made of, and how negatives are drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sequence_events: tuple[str, ...] = Field(
        ("view_item", "add_to_cart", "purchase"),
        min_length=1,
        description="Events whose items make a sequence. These three: each says that a shopper wanted that very item.",
    )
    max_sequence: int = Field(
        50,
        ge=1,
        le=1000,
        description="Items kept of a user's history and of an example's context, the latest. 50: more did not help on "
        "sessions of shops, and the online path keeps as many.",
    )
    negatives: tuple[NegativeSampler, ...] = Field(
        (PopularityNegatives(),),
        description="Samplers of negatives, each with its own draws for every example: uniform, popularity, unclicked, "
        "hard; a kind stands once. popularity: it needs nothing but the counts of the days before, and training takes "
        "its frequencies out again.",
    )

    @field_validator("sequence_events")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """Accept event names of the house, each once."""
        for name in names:
            if name not in CANONICAL_EVENT_NAMES:
                raise ValueError(f"'{name}' is no event; {near(name, CANONICAL_EVENT_NAMES)}")
        if len(set(names)) < len(names):
            raise ValueError("an event is named twice")
        return names

    @field_validator("negatives")
    @classmethod
    def _each_once(cls, samplers: tuple[NegativeSampler, ...]) -> tuple[NegativeSampler, ...]:
        """Accept each kind once: its name tells in `negative_kinds` who drew, and makes its draws its own."""
        kinds = [each.kind for each in samplers]
        if twice := sorted({kind for kind in kinds if kinds.count(kind) > 1}):
            raise ValueError(f"the sampler '{twice[0]}' stands twice; give it more draws instead: num")
        return samplers

    @property
    def num_by_kind(self) -> dict[str, int]:
        """Draws for each example by the kind that was asked for them."""
        return {each.kind: each.num for each in self.negatives}
