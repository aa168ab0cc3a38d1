"""Settings of the features room: `[features]` of endcap.toml."""

from pydantic import BaseModel, ConfigDict, Field, field_validator

from endcap.core.errors import near
from endcap.core.tables import CANONICAL_EVENT_NAMES

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
    num_negatives: int = Field(
        4, ge=0, le=1000, description="Negatives drawn for each example. 4: two-tower training adds those of its batch."
    )
    negative_power: float = Field(
        0.75,
        ge=0,
        le=1,
        description="Negatives are drawn by count^power; 0 is uniform, 1 by popularity. .75: the usual middle "
        "(Mikolov et al. 2013).",
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
