"""What the server writes for the batch side: the lines of `landing/events` and `landing/slates`."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import structlog

from endcap.core.landed import LandedEvent, LandedPlace, LandedSlate
from endcap.core.slate import Slate

__all__ = ["landed_slate", "read_segment", "segments_since"]

_log = structlog.get_logger()

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
            LandedPlace(
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
        content = _content(path)
    except OSError as error:  # states will lack what stands in it; no reason not to serve
        _log.warning("segment.unreadable", segment=path.name, error=error.strerror or str(error))
        return
    for line in content.split(b"\n")[:-1]:
        try:
            yield _events.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        if path.suffix != ".open":
            raise
    whole = path.with_suffix("")
    return whole.read_bytes() if whole.exists() else b""  # closed a moment ago and so renamed, or empty and removed
