"""Settings of the sessions room: `[sessions]` of endcap.toml."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from endcap.core.errors import near
from endcap.core.tables import CANONICAL_EVENT_NAMES

__all__ = ["SessionsConfig"]

_NO_CLICKS = ("view_item_list", "add_to_cart", "purchase")


class SessionsConfig(BaseModel):
    """Where a session ends, and to which list a click belongs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gap_minutes: int = Field(
        30,
        ge=1,
        le=720,
        description="Minutes; a longer pause ends the session. 30: what GA4 and most shops count by. At most half a "
        "day, so that a session can be computed from the days around it.",
    )
    attribution: Literal["latest", "first"] = Field(
        "latest",
        description="Which of several lists that showed an item before it was clicked, carted or bought gets the "
        "credit. latest: the list the shopper came from; first: the list that brought the item up.",
    )
    click_minutes: int = Field(
        0, ge=0, le=1440, description="Minutes after a list in which a click is still its own. 0: to the session's end."
    )
    cart_minutes: int = Field(0, ge=0, le=1440, description="Likewise for an add_to_cart. 0: to the session's end.")
    purchase_minutes: int = Field(0, ge=0, le=1440, description="Likewise for a purchase. 0: to the session's end.")
    click_events: tuple[str, ...] = Field(
        ("select_item",),
        min_length=1,
        description="Events that say a shopper clicked an item of a list. select_item: the click itself; add view_item "
        "for a shop that logs no clicks, where reaching the item's page is the only trace of one.",
    )

    @field_validator("click_events")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """Accept event names of the house, none that is an outcome of its own or the list itself."""
        allowed = [name for name in CANONICAL_EVENT_NAMES if name not in _NO_CLICKS]
        for name in names:
            if name not in allowed:
                raise ValueError(f"'{name}' cannot be a click; {near(name, allowed)}")
        return names
