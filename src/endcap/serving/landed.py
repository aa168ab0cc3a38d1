"""What the server writes for the batch side: the lines of `landing/events` and `landing/slates`."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from endcap.core.slate import Slate

__all__ = ["LandedEvent", "LandedItem", "LandedSlate", "landed_slate", "read_segment", "segments_since"]


class LandedItem(msgspec.Struct, frozen=True, kw_only=True):
    """One item of a landed event."""

    item_id: str | None = None
    item_name: str | None = None
    item_variant: str | None = None
    price_minor: int | None = None
    quantity: int | None = None
    place: int | None = None


class LandedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `landing/events`. Ids of people are keyed hashes."""

    event_id: str
    event_name: str
    at_us: int
    received_us: int
    user_key: str
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


class _LandedPlace(msgspec.Struct, frozen=True, kw_only=True):
    """One item of a landed slate."""

    item_id: str
    place: int
    score: float
    source: str
    propensity: float


class LandedSlate(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `landing/slates`."""

    recommendation_id: str
    at_us: int
    user_key: str | None
    placement: str
    model_version: str
    variant: str | None
    fallback: str | None
    items: tuple[_LandedPlace, ...]


_events = msgspec.json.Decoder(LandedEvent)


def landed_slate(slate: Slate, *, at_us: int, user_key: str | None) -> LandedSlate:
    """Return the line that remembers a slate."""
    return LandedSlate(
        recommendation_id=slate.recommendation_id,
        at_us=at_us,
        user_key=user_key,
        placement=slate.placement,
        model_version=slate.model_version,
        variant=slate.variant,
        fallback=slate.fallback,
        items=tuple(
            _LandedPlace(
                item_id=item.item_id,
                place=item.place,
                score=item.score,
                source=item.source,
                propensity=item.propensity,
            )
            for item in slate.items
        ),
    )


def segments_since(folder: Path, since_us: int) -> list[Path]:
    """List the event segments begun at or after an instant, those being written included, oldest first."""
    paths = [*folder.glob("*.jsonl"), *folder.glob("*.jsonl.open")]
    return sorted(path for path in paths if path.name.split("-")[0] >= f"{since_us:016d}")


def read_segment(path: Path) -> Iterator[LandedEvent]:
    """Read the whole lines of a segment; one that cannot be read is left to ingest, which quarantines it."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:  # closed, and so renamed, a moment ago
        content = path.with_name(path.name.removesuffix(".open")).read_bytes()
    for line in content.split(b"\n")[:-1]:
        try:
            yield _events.decode(line)
        except msgspec.MsgspecError:
            continue
