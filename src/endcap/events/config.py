"""Settings of the events room: `[events]` of endcap.toml."""

import re
from typing import Annotated, ClassVar, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from endcap.core.currency import CURRENCIES
from endcap.core.errors import near
from endcap.core.tables import CANONICAL_EVENT_NAMES

__all__ = [
    "AUTOMATIC_EVENT_NAMES",
    "GA4_AUTOMATIC_EVENT_NAMES",
    "GA4_COLUMN_NAMES",
    "GA4_READ_COLUMNS",
    "AnyReader",
    "Catalogue",
    "Condition",
    "EventsConfig",
    "Fold",
    "Ga4Reader",
    "JsonLdCatalogue",
    "KeepRule",
    "MappedReader",
    "MerchantCatalogue",
    "NoCatalogue",
    "RowRule",
    "SegmentReader",
    "ShopifyCatalogue",
    "SnowplowReader",
    "VertexReader",
    "WooCommerceCatalogue",
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


class Fold(_Settings):
    """Two events of the source that tell one thing: the first is folded into the second where both are there."""

    event_name: str = Field(description="Event name in the source that is folded; without a twin it becomes `into`.")
    into: str = Field(description="Canonical event name that stays.")
    within_s: float = Field(
        default=2.0, ge=0, le=3600, description="Seconds, either way, between the twins. 2: both fire on one page load."
    )

    @field_validator("into")
    @classmethod
    def _canonical(cls, name: str) -> str:
        return _known_event_name(name)


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
        return _known_event_name(name)


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


class NoCatalogue(_Settings):
    """No catalogue: items are what events name."""

    kind: Literal["none"] = "none"


class MerchantCatalogue(_Settings):
    """A Google Merchant feed: text with tabs, RSS or Atom, or products of the Content or Merchant API as JSON."""

    kind: Literal["merchant"] = "merchant"
    file: str = Field(default="catalog.tsv", description="The feed, within `source`: .tsv, .txt, .xml or .json(l).")
    columns: dict[str, str] = Field(
        default_factory=dict, description="Merchant name -> the feed's own column name, where a text feed differs."
    )


class ShopifyCatalogue(_Settings):
    """Products as Shopify exports them, CSV; under the headers of before 2025 (Handle) or since (URL handle)."""

    kind: Literal["shopify"] = "shopify"
    file: str = Field(default="products_export.csv", description="The export, within `source`.")
    item_id: Literal["handle", "sku"] = Field(
        default="handle", description="What events name: the handle of a product, or the SKU of a variant."
    )


class WooCommerceCatalogue(_Settings):
    """Products as WooCommerce exports them, CSV with English headers."""

    kind: Literal["woocommerce"] = "woocommerce"
    file: str = Field(default="products.csv", description="The export, within `source`.")
    item_id: Literal["id", "sku"] = Field(
        default="id", description="What events name: the id of a product, or the SKU of a product or variation."
    )


class JsonLdCatalogue(_Settings):
    """Products as schema.org JSON-LD: a document, a list of them, one a line, or the scripts of an HTML page."""

    kind: Literal["json_ld"] = "json_ld"
    file: str = Field(default="products.jsonld", description="The file, within `source`.")
    item_id: Literal["sku", "productID", "@id"] = Field(default="sku", description="Property that events name.")


Catalogue = MerchantCatalogue | ShopifyCatalogue | WooCommerceCatalogue | JsonLdCatalogue
"""Where items are described; each kind has its reader in `events/sources`."""


class EventsConfig(_Settings):
    """`[events]`: where a shop's events come from and what is believed of them."""

    source: str = Field(description="Folder of the shop's export.")
    site: str = Field(
        default="main", min_length=1, description="Name of the site; a shop with one site needs no other."
    )
    reader: Annotated[AnyReader, Field(discriminator="kind")] = Field(
        default=Ga4Reader(), description="How the files are read."
    )
    catalogue: Annotated[Catalogue | NoCatalogue, Field(discriminator="kind")] = Field(
        default=NoCatalogue(), description="Where items are described."
    )
    default_currency: str | None = Field(
        default=None,
        pattern=r"^[A-Z]{3}$",
        description="ISO 4217 code of prices whose event names none; without it such prices are quarantined.",
    )
    renames: dict[str, str] = Field(
        default_factory=dict, description="Event name in the source -> canonical name (productView -> view_item)."
    )
    folds: tuple[Fold, ...] = Field(default=(), description="Events of the source that tell a thing twice.")
    ignored_event_names: tuple[str, ...] = Field(
        default=AUTOMATIC_EVENT_NAMES,
        description="Events that are counted and left out; every other unknown name is quarantined.",
    )
    max_price: float = Field(
        default=1_000_000,
        gt=0,
        le=1e9,
        description="Major units; a dearer item row is quarantined. 1e6: dearer are slips.",
    )
    max_quantity: int = Field(
        default=100_000,
        ge=1,
        le=10**12,
        description="Pieces; more are quarantined. 1e5: real shops log 1e16 by mistake.",
    )
    future_tolerance_s: int = Field(
        default=86_400, ge=0, description="Seconds an event may be ahead of now. A day: clocks and zones are off."
    )
    max_bad_share: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="Share of a day's rows, 0..1, in quarantine beyond which the day is refused.",
    )
    allow_empty_days: bool = Field(
        default=False, description="Whether a file may claim a day and hold no row of it; usually an export failed."
    )

    @field_validator("default_currency")
    @classmethod
    def _is_a_currency(cls, code: str | None) -> str | None:
        if code is not None and code not in CURRENCIES:
            raise ValueError(f"'{code}' is no currency of ISO 4217; {near(code, CURRENCIES)}")
        return code

    @field_validator("renames")
    @classmethod
    def _canonical(cls, renames: dict[str, str]) -> dict[str, str]:
        for name in renames.values():
            _known_event_name(name)
        return renames

    @property
    def canonical_names(self) -> dict[str, str]:
        """Every event name of the source that is understood -> its canonical name (folds keep their own name)."""
        return (
            {name: name for name in CANONICAL_EVENT_NAMES}
            | self.reader.EVENT_NAMES
            | self.renames
            | {f.event_name: f.event_name for f in self.folds}
        )

    @property
    def fold_reach_us(self) -> int:
        """How far over midnight a fold may reach, microseconds; 0 without folds."""
        return round(max((fold.within_s for fold in self.folds), default=0.0) * 1_000_000)


def _known_event_name(name: str) -> str:
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
