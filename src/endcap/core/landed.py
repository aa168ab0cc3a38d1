"""The lines that the server lands and ingest reads: `landing/events` and `landing/slates`, one JSON object a line.

Ids of people in them are keyed hashes already.
"""

import msgspec

__all__ = ["LandedEvent", "LandedItem", "LandedPlace", "LandedSlate"]


class LandedItem(msgspec.Struct, frozen=True, kw_only=True):
    """One item of a landed event; columns of the table events."""

    item_id: str | None = None
    item_name: str | None = None
    item_variant: str | None = None
    price_minor: int | None = None
    quantity: int | None = None
    place: int | None = None


class LandedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `landing/events`; columns of the table events."""

    event_id: str
    event_name: str
    at_us: int
    user_key: str
    received_us: int | None = None
    device_key: str | None = None
    source_session_id: str | None = None
    currency: str | None = None
    value_minor: int | None = None
    transaction_id: str | None = None
    item_list_id: str | None = None
    search_term: str | None = None
    recommendation_id: str | None = None
    country: str | None = None
    device_category: str | None = None
    items: tuple[LandedItem, ...] = ()


class LandedPlace(msgspec.Struct, frozen=True, kw_only=True):
    """One place of a landed slate."""

    item_id: str
    place: int
    score: float
    source: str
    propensity: float


class LandedSlate(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `landing/slates`; columns of the table slates."""

    recommendation_id: str
    at_us: int
    placement: str
    model_version: str
    items: tuple[LandedPlace, ...]
    user_key: str | None = None
    variant: str | None = None
    fallback: str | None = None
