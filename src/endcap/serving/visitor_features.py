"""A visitor's features at an instant: from what the bundle knows and what happened since, each event once."""

from collections.abc import Sequence

import structlog

from endcap.core.errors import EndcapError
from endcap.features.online import NOTHING_KNOWN, VisitorFeatures, features_at
from endcap.features.visitor_rows import UNKNOWN, PastRows, VisitorRows
from endcap.serving.state import VisitorState

__all__ = ["NOBODY", "features_of"]

_log = structlog.get_logger()

NOBODY = VisitorFeatures({})
"""The features of a visitor without any id: there are none."""


def features_of(keys: Sequence[str], at_us: int, *, past: PastRows, state: VisitorState | None) -> VisitorFeatures:
    """Compute a visitor's features.

    An event that both know counts once, by its id: it does not matter how much of the live state's time the bundle has
    caught up with. Where one of the two cannot be read, all features are approximate.

    Args:
        keys: Keyed hashes of the visitor: the one that tables know him by, and his device's, whose live events are his
            from where the tables end.
        at_us: The instant, microseconds UTC.
        past: The rows of the bundle.
        state: The live state; None where there is none.
    """
    try:
        known = past.of(keys[0])
        until_us = known.last_us
        known = known.joined(_live(keys[0], state))
        for key in keys[1:]:
            live = _live(key, state)
            # Whose the device was before, the tables have settled.
            known = known.joined(live if until_us is None else live.after(until_us))
        return features_at(known, at_us, gap_us=past.gap_us)
    except Exception as error:  # noqa: BLE001 - an answer without them is better than none
        _log.warning("features.failed", error=f"{type(error).__name__}: {error}")
        return NOTHING_KNOWN


def _live(user_key: str, state: VisitorState | None) -> VisitorRows:
    """Return the rows of the live state; where it cannot be read, none, and nothing is certain."""
    try:
        return state.rows(user_key) if state else VisitorRows(cut_us=UNKNOWN)
    except (EndcapError, ValueError) as error:
        _log.warning("state.failed", error=error.what if isinstance(error, EndcapError) else str(error))
        return VisitorRows(cut_us=UNKNOWN)
