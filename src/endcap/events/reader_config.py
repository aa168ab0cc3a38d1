"""Settings of the readers: `[events.reader]` of endcap.toml, one class for each kind of source."""

import re
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from endcap.core.errors import near
from endcap.core.tables import CANONICAL_EVENT_NAMES

__all__ = [
    "AUTOMATIC_EVENT_NAMES",
    "GA4_AUTOMATIC_EVENT_NAMES",
    "GA4_COLUMN_NAMES",
    "GA4_READ_COLUMNS",
    "AnyReader",
    "Condition",
    "Ga4Reader",
    "KeepRule",
    "MappedReader",
    "RowRule",
    "SegmentReader",
    "SnowplowReader",
    "VertexReader",
    "known_event_name",
]

GA4_AUTOMATIC_EVENT_NAMES = (
    "page_view",
    "session_start",
    "first_visit",
    "user_engagement",
    "scroll",
    "click",
    "file_download",
    "form_start",
    "form_submit",
    "video_start",
    "video_progress",
    "video_complete",
    "login",
    "sign_up",
)
"""Events that GA4 collects by itself and that say nothing about an item."""

AUTOMATIC_EVENT_NAMES = (
    *GA4_AUTOMATIC_EVENT_NAMES,
    *("page", "screen", "identify", "group", "alias"),
    *("Application Opened", "Application Installed", "Application Updated", "Application Backgrounded"),
    *("Cart Shared", "Coupon Entered", "Coupon Applied", "Coupon Removed", "Coupon Denied", "Product Shared"),
    *("Checkout Step Viewed", "Checkout Step Completed", "Order Updated", "Order Cancelled", "Product Reviewed"),
    *("page_ping", "link_click", "application_error", "trns_error", "transaction_item", "web_vitals"),
    *("focus_form", "change_form", "submit_form", "legacy_transaction", "legacy_refund"),
    *("home-page-view", "category-page-view"),
)
"""These, and those of Segment, Snowplow and Vertex that say nothing about an item."""

GA4_READ_COLUMNS = (
    "event_timestamp",
    "event_name",
    "event_params",
    "user_id",
    "user_pseudo_id",
    "device",
    "geo",
    "ecommerce",
    "items",
)
"""Columns of a GA4 export that are read; the others are left alone."""

GA4_COLUMN_NAMES = (
    *GA4_READ_COLUMNS,
    *("event_date", "event_previous_timestamp", "event_value_in_usd", "event_bundle_sequence_id", "event_dimensions"),
    *("event_server_timestamp_offset", "privacy_info", "user_properties", "user_first_touch_timestamp", "user_ltv"),
    *("app_info", "traffic_source", "collected_traffic_source", "session_traffic_source_last_click", "stream_id"),
    *("platform", "is_active_user", "batch_event_index", "batch_page_id", "batch_ordering_id", "publisher"),
)
"""All columns that GA4 exports."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Reader(_Settings):
    """How events are read.

    EVENT_NAMES has the names that the kind of source has for what GA4 names, beside GA4's own.
    """

    EVENT_NAMES: ClassVar[dict[str, str]] = {}


class Ga4Reader(_Reader):
    """A GA4 BigQuery export in Parquet or newline JSON: one row an event, nested `items` and `event_params`."""

    kind: Literal["ga4"] = "ga4"
    files: str = Field(default="events_*.parquet", description="Glob of the files within `source`.")
    event_id_param: str = Field(
        default="event_id", description="Event parameter with an id of the event; without it the id is a digest."
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="GA4 name -> the export's own column name, in those files that have such a column.",
    )

    @field_validator("columns")
    @classmethod
    def _are_read(cls, columns: dict[str, str]) -> dict[str, str]:
        for name in columns:
            if name not in GA4_READ_COLUMNS:
                msg = f"'{name}' is no column that is read of a GA4 export; {near(name, GA4_READ_COLUMNS)}"
                raise ValueError(msg)
        if len(set(columns.values())) < len(columns):
            msg = "two GA4 names have the same column of the export"
            raise ValueError(msg)
        return columns


class SegmentReader(_Reader):
    """Segment's calls, one JSON object a line."""

    EVENT_NAMES: ClassVar[dict[str, str]] = {
        "Product List Viewed": "view_item_list",
        "Product Clicked": "select_item",
        "Product Viewed": "view_item",
        "Product Added": "add_to_cart",
        "Product Removed": "remove_from_cart",
        "Product Added to Wishlist": "add_to_wishlist",
        "Cart Viewed": "view_cart",
        "Checkout Started": "begin_checkout",
        "Payment Info Entered": "add_payment_info",
        "Order Completed": "purchase",
        "Order Refunded": "refund",
        "Promotion Viewed": "view_promotion",
        "Promotion Clicked": "select_promotion",
        "Products Searched": "search",
    }

    kind: Literal["segment"] = "segment"
    files: str = Field(default="*.jsonl*", description="Glob of the files within `source`; .gz or .zst if packed.")


class SnowplowReader(_Reader):
    """Enriched events of Snowplow with its e-commerce entities: the enricher's text (.tsv) or JSON lines."""

    EVENT_NAMES: ClassVar[dict[str, str]] = {
        "list_view": "view_item_list",
        "list_click": "select_item",
        "product_view": "view_item",
        "checkout_step": "begin_checkout",
        "transaction": "purchase",
        "promo_view": "view_promotion",
        "promo_click": "select_promotion",
    }

    kind: Literal["snowplow"] = "snowplow"
    files: str = Field(default="*.tsv*", description="Glob of the files within `source`; .gz or .zst if packed.")


class VertexReader(_Reader):
    """User events of Google's search and recommendations for commerce, one JSON object a line."""

    EVENT_NAMES: ClassVar[dict[str, str]] = {
        "detail-page-view": "view_item",
        "add-to-cart": "add_to_cart",
        "remove-from-cart": "remove_from_cart",
        "shopping-cart-page-view": "view_cart",
        "purchase-complete": "purchase",
    }

    kind: Literal["vertex"] = "vertex"
    files: str = Field(default="*.jsonl*", description="Glob of the files within `source`; .gz or .zst if packed.")


class Condition(_Settings):
    """A test of one column; all tests that are given must hold. A missing value holds only `is_missing = true`."""

    column: str = Field(description="Column of the source.")
    above: float | None = Field(default=None, description="The number is greater.")
    at_least: float | None = Field(default=None, description="The number is greater or equal.")
    below: float | None = Field(default=None, description="The number is less.")
    at_most: float | None = Field(default=None, description="The number is less or equal.")
    one_of: tuple[str, ...] = Field(default=(), description="The text is one of these.")
    matches: str | None = Field(default=None, description="Regular expression found in the text.")
    not_matches: str | None = Field(default=None, description="Regular expression not found in the text.")
    is_missing: bool | None = Field(default=None, description="Whether the value must be missing.")

    @field_validator("matches", "not_matches")
    @classmethod
    def _pattern(cls, pattern: str | None) -> str | None:
        return _compiled(pattern)

    @model_validator(mode="after")
    def _tests_something(self) -> "Condition":
        if self.model_fields_set <= {"column"}:
            msg = "says nothing about the column; give above, below, one_of, matches, not_matches or is_missing"
            raise ValueError(msg)
        return self


class RowRule(_Settings):
    """What event a row tells. The first rule whose conditions all hold is taken."""

    event_name: str = Field(description="Canonical event name of rows under this rule.")
    when: tuple[Condition, ...] = Field(default=(), description="Conditions; none means every row left.")
    quantity: Literal["as_is", "absolute"] = Field(
        default="as_is", description="`absolute` where the source writes returns as negative pieces."
    )

    @field_validator("event_name")
    @classmethod
    def _canonical(cls, name: str) -> str:
        return known_event_name(name)


class KeepRule(_Settings):
    """Rows that do not match are ignored (counted under `reason`, not quarantined): postage, fees, tests."""

    column: str = Field(description="Column of the source.")
    matches: str = Field(description="Regular expression found in the text of rows that are kept.")
    reason: str = Field(default="not_kept", pattern=r"^[a-z][a-z0-9_]*$", description="Word in the counts.")

    @field_validator("matches")
    @classmethod
    def _pattern(cls, pattern: str) -> str:
        return _compiled(pattern) or pattern


class MappedReader(_Reader):
    """Any flat file, one row an event x item: which column holds what. A setting left out means that nothing does."""

    kind: Literal["mapped"] = "mapped"
    files: str = Field(
        default="*.parquet", description="Glob within `source`: .parquet, .csv, .jsonl; packed: .gz, .zst"
    )
    time: str = Field(description="Column of the instant: timestamp, ISO text, or integer (see `time_unit`).")
    time_unit: Literal["s", "ms", "us"] = Field(default="us", description="Unit of integer times since 1970.")
    timezone: str = Field(default="UTC", description="IANA zone of times that name no zone.")
    event_name: str | None = Field(default=None, description="Column of the event name.")
    constant_event_name: str | None = Field(
        default=None, description="Event name of every row, where no column has it."
    )
    rules: tuple[RowRule, ...] = Field(
        default=(), description="Event name by rules on the row; instead of the two above."
    )
    keep: tuple[KeepRule, ...] = Field(default=(), description="Rows to keep; all others are ignored and counted.")
    event_columns: tuple[str, ...] = Field(
        default=(),
        description="Columns that together name one event of several rows (the order number); none: a row an event.",
    )
    drop_duplicate_rows: bool = Field(
        default=True, description="Whether rows of one event that are equal in every mapped column count once."
    )
    event_id: str | None = Field(default=None, description="Column of the event's id, for deduplication.")
    user_id: str | None = Field(
        default=None, description="Column of the customer's id; hashed before it leaves the room."
    )
    device_id: str | None = Field(default=None, description="Column of the cookie or device id; hashed likewise.")
    guest_from: str | None = Field(
        default=None, description="Column (order number) that stands for the device of rows without any id."
    )
    session_id: str | None = Field(default=None, description="Column of the source's session id.")
    item_id: str | None = Field(default=None, description="Column of the product's id.")
    item_id_case: Literal["as_is", "upper", "lower"] = Field(
        default="as_is", description="One case for all item ids, where the source mixes them."
    )
    item_name: str | None = Field(default=None, description="Column of the product's title.")
    item_variant: str | None = Field(default=None, description="Column of the SKU.")
    price: str | None = Field(default=None, description="Column of the unit price, in major units (15.99).")
    quantity: str | None = Field(default=None, description="Column of the pieces.")
    value: str | None = Field(default=None, description="Column of the value of the whole event, in major units.")
    currency: str | None = Field(default=None, description="Column of the ISO 4217 code; else `default_currency`.")
    transaction_id: str | None = Field(default=None, description="Column of the order number.")
    item_list_id: str | None = Field(default=None, description="Column of the list shown.")
    place: str | None = Field(default=None, description="Column of the place in the list, from 1.")
    search_term: str | None = Field(default=None, description="Column of what was searched for.")
    recommendation_id: str | None = Field(default=None, description="Column of the slate's id.")
    country: str | None = Field(default=None, description="Column of the country.")
    device_category: str | None = Field(default=None, description="Column of the device's kind.")

    @field_validator("timezone")
    @classmethod
    def _zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            msg = f"{name!r} is not an IANA time zone such as Europe/London"
            raise ValueError(msg) from error
        return name

    @model_validator(mode="after")
    def _is_whole(self) -> "MappedReader":
        given = [bool(self.event_name), bool(self.constant_event_name), bool(self.rules)]
        if sum(given) != 1:
            msg = "give exactly one of event_name (a column), constant_event_name or rules"
            raise ValueError(msg)
        if not (self.user_id or self.device_id or self.guest_from):
            msg = "give user_id, device_id or guest_from, else no event has a user"
            raise ValueError(msg)
        if self.session_id and self.session_id in (self.user_id, self.device_id):
            msg = "session_id is a column of user ids, which never leave this room; leave it out"
            raise ValueError(msg)
        return self


AnyReader = Ga4Reader | SegmentReader | SnowplowReader | VertexReader | MappedReader
"""How events are read; each kind has its reader in `events/sources`."""


def known_event_name(name: str) -> str:
    """Return the canonical event name as it is; another is refused with a ValueError that lists them."""
    if name not in CANONICAL_EVENT_NAMES:
        msg = f"{name!r} is not a canonical event name: {', '.join(CANONICAL_EVENT_NAMES)}"
        raise ValueError(msg)
    return name


def _compiled(pattern: str | None) -> str | None:
    if pattern is not None:
        try:
            re.compile(pattern)
        except re.error as error:
            msg = f"{pattern!r} is not a regular expression: {error}"
            raise ValueError(msg) from error
    return pattern
