"""Settings of who is who: `[identities]` of endcap.toml."""

from datetime import date

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = ["BotRules", "IdentitiesConfig"]

_frozen = ConfigDict(frozen=True, extra="forbid")


class BotRules(BaseModel):
    """Which visitors are bots: what nobody does by hand. Their events are kept, and nothing is learnt from them."""

    model_config = _frozen

    most_events_a_minute: int = Field(
        120,
        ge=0,
        description="Events of a visitor within one minute of the clock; more is a bot. 120: two a second. 0: no rule.",
    )
    most_events_an_hour: int = Field(
        1500, ge=0, description="Likewise within one hour of the clock. 1500: one every 2.4 s for an hour. 0: no rule."
    )
    most_events_a_day: int = Field(
        6000, ge=0, description="Likewise within one UTC day. 6000: four hours of 1500. 0: no rule."
    )
    most_views_without_a_cart: int = Field(
        500,
        ge=0,
        description="view_item events of a visitor within one UTC day on which he puts nothing into the cart and buys "
        "nothing. 500: a catalogue being read. 0: no rule.",
    )
    keep_days: int = Field(
        30,
        ge=1,
        le=365,
        description="Days, the first included, for which a visitor who was found to be a bot stays one. 30: crawlers "
        "come again, and a cookie that was theirs is nobody else's.",
    )


class IdentitiesConfig(BaseModel):
    """Who is who: which events without a login are whose, and which visitors are no people."""

    model_config = _frozen

    keep_days: int = Field(
        30,
        ge=0,
        le=365,
        description="Days for which a device is taken for that of the user who logged in there last. 30: most logins "
        "of a shop are kept as long. 0: events without a login stay the device's.",
    )
    restitched_through: str = Field(
        "",
        pattern=r"^(20\d{2}-\d{2}-\d{2})?$",
        description="UTC day; up to it, events of a device before its first login are that user's too, however long "
        "before. A backfill: everything that is made of these days is made again. Empty: nobody is known before he "
        "logs in, but for the same day.",
    )
    bots: BotRules = Field(default=BotRules(), description="Which visitors are bots.")

    @field_validator("restitched_through")
    @classmethod
    def _is_a_day(cls, day: str) -> str:
        if day:
            date.fromisoformat(day)
        return day
