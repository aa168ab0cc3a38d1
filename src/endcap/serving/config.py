"""Settings of the serving room: `[serving]` of endcap.toml."""

from pydantic import BaseModel, ConfigDict, Field, field_validator

from endcap.core.errors import near
from endcap.core.tables import CANONICAL_EVENT_NAMES

__all__ = ["PlacementConfig", "PlacementsConfig", "ServingConfig"]

_frozen = ConfigDict(frozen=True, extra="forbid")


class PlacementConfig(BaseModel):
    """How the slates of one placement are made."""

    model_config = _frozen

    sources: tuple[str, ...] = Field(
        default=("item_markov", "two_tower", "popular"),
        min_length=1,
        description="Models of the bundle that propose items, in this order; one that the bundle lacks is passed over. "
        "`popular` stands last, for visitors whom nobody knows.",
    )
    model: str = Field(
        default="",
        description="Model of the bundle that orders what was proposed. Empty: the bundle's default, which is "
        "models.default.",
    )
    drop_seen: bool = Field(
        default=False,
        description="Whether items of the visitor's history are left out. false: shoppers often go back to an item "
        "before they buy it.",
    )
    num_candidates: int = Field(
        default=200,
        ge=1,
        le=10_000,
        description="Items asked of each source; more are asked for when too few are eligible. 200: twice the longest "
        "slate.",
    )


class PlacementsConfig(BaseModel):
    """The places of a shop that show slates."""

    model_config = _frozen

    home: PlacementConfig = Field(
        default_factory=PlacementConfig, description="For a visitor, by their history; popular items for a new one."
    )
    product: PlacementConfig = Field(
        default_factory=PlacementConfig, description="On the page of an item, by the items asked with."
    )


class ServingConfig(BaseModel):
    """How the server listens, remembers visitors and writes its logs."""

    model_config = _frozen

    host: str = Field(
        default="127.0.0.1", min_length=1, description="Address to listen on. This one: only this machine."
    )
    port: int = Field(default=8000, ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")
    workers: int = Field(default=1, ge=1, le=256, description="Processes. 1: as many as cores is the most that helps.")
    placements: PlacementsConfig = Field(
        default_factory=PlacementsConfig, description="Where slates are shown, and how each place is answered."
    )
    history_events: tuple[str, ...] = Field(
        default=("view_item", "add_to_cart", "purchase"),
        min_length=1,
        description="Events that enter a visitor's history at once. As features.sequence_events, which models learn "
        "from.",
    )
    history_length: int = Field(default=50, ge=1, le=500, description="Items of a history that are kept, the latest.")
    feature_rows: int = Field(
        default=2000,
        ge=100,
        le=50_000,
        description="Rows of a visitor (event x item) that features are computed from, the latest; the last 34 days at "
        "most. A visitor with more has features that say they are approximate. 2000: a shopper has a few hundred, "
        "and a machine's features help nobody.",
    )
    segment_mb: int = Field(default=16, ge=1, le=1024, description="Size at which a log segment is closed, MB.")
    segment_s: int = Field(
        default=60,
        ge=1,
        le=86_400,
        description="Age at which a log segment is closed, seconds. 60: ingest sees an event after a minute at most.",
    )
    max_body_mb: int = Field(
        default=4, ge=1, le=64, description="Largest request body, MB. 4: a thousand events with items."
    )
    max_events: int = Field(default=1000, ge=1, le=10_000, description="Most events in one request.")
    future_tolerance_s: int = Field(
        default=86_400,
        ge=0,
        le=86_400,
        description="How far ahead of the server's clock an event may be, seconds. A day: clocks of devices are off.",
    )
    kv_mb: int = Field(
        default=1024, ge=1, le=1_048_576, description="Most room for visitors' state, MB; half a million visitors a GB."
    )

    @field_validator("history_events")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """Accept event names of the house."""
        for name in names:
            if name not in CANONICAL_EVENT_NAMES:
                raise ValueError(f"'{name}' is no event; {near(name, CANONICAL_EVENT_NAMES)}")
        return names
