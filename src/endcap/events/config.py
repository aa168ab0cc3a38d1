"""Settings of the events room: `[events]` of endcap.toml."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from endcap.core.currency import CURRENCIES
from endcap.core.errors import near
from endcap.core.tables import CANONICAL_EVENT_NAMES
from endcap.events.catalogue_config import Catalogue, NoCatalogue
from endcap.events.place_config import DatabaseSource, ObjectSettings, is_object_url, known_source
from endcap.events.reader_config import AUTOMATIC_EVENT_NAMES, AnyReader, Ga4Reader, known_event_name

__all__ = ["EventsConfig", "Fold"]

_frozen = ConfigDict(frozen=True, extra="forbid")


class Fold(BaseModel):
    """Two events of the source that tell one thing: the first is folded into the second where both are there."""

    model_config = _frozen

    event_name: str = Field(description="Event name in the source that is folded; without a twin it becomes `into`.")
    into: str = Field(description="Canonical event name that stays.")
    within_s: float = Field(
        default=2.0, ge=0, le=3600, description="Seconds, either way, between the twins. 2: both fire on one page load."
    )

    @field_validator("into")
    @classmethod
    def _canonical(cls, name: str) -> str:
        return known_event_name(name)


class EventsConfig(BaseModel):
    """`[events]`: where a shop's events come from and what is believed of them."""

    model_config = _frozen

    source: str = Field(
        default="",
        description="Folder of the shop's export, or its URL in an object store (s3://bucket/prefix, gs://, az://). "
        "With `[events.database]` only the catalogue lies there.",
    )
    site: str = Field(
        default="main", min_length=1, description="Name of the site; a shop with one site needs no other."
    )
    reader: Annotated[AnyReader, Field(discriminator="kind")] = Field(
        default=Ga4Reader(), description="How the files are read."
    )
    catalogue: Annotated[Catalogue | NoCatalogue, Field(discriminator="kind")] = Field(
        default=NoCatalogue(), description="Where items are described."
    )
    objects: ObjectSettings = Field(
        default=ObjectSettings(), description="How the object store is reached, if `source` is in one."
    )
    database: DatabaseSource | None = Field(
        default=None, description="The database whose rows are the events, if they lie in one."
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
    max_lateness_days: int = Field(
        default=30,
        ge=0,
        le=36_500,
        description="Days an event may lie before the day its file is named by; earlier: a wrong clock, quarantined. "
        "30: devices that were offline come back within weeks, a clock that lost its battery is years off.",
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

    @field_validator("source")
    @classmethod
    def _is_a_place(cls, source: str) -> str:
        return known_source(source)

    @model_validator(mode="after")
    def _come_from_somewhere(self) -> "EventsConfig":
        if not self.source and self.database is None:
            msg = "missing setting source: the folder of the export, or its URL in an object store"
            raise ValueError(msg)
        if not self.source and not isinstance(self.catalogue, NoCatalogue):
            msg = "missing setting source: the folder or URL below which the catalogue's file lies"
            raise ValueError(msg)
        if self.database is not None and self.reader.kind != "mapped":
            msg = 'rows of a database are read by kind = "mapped" of [events.reader]'
            raise ValueError(msg)
        return self

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
            known_event_name(name)
        return renames

    @property
    def has_object_source(self) -> bool:
        """Whether `source` is the URL of an object store."""
        return is_object_url(self.source)

    @property
    def canonical_names(self) -> dict[str, str]:
        """Every event name of the source that is understood -> its canonical name (folds keep their own name)."""
        return (
            {name: name for name in CANONICAL_EVENT_NAMES}
            | self.reader.EVENT_NAMES
            | self.renames
            | {f.event_name: f.event_name for f in self.folds}
        )
