"""Reasons: why an item stands in a slate, as codes with the item of the history that speaks for it."""

from collections.abc import Sequence

from endcap.core.slate import Reason
from endcap.serving.asking import Asking
from endcap.serving.bundle import POPULAR

__all__ = ["reasons_of"]


def reasons_of(asking: Asking, item: int, source: str, models: Sequence[str]) -> tuple[Reason, ...]:
    """Tell why an item is in a slate.

    Args:
        asking: What was asked.
        item: The item's number.
        source: Who proposed it first.
        models: Models that may know an item that speaks for it; the first that does is believed.

    Returns:
        One reason: `goes_with` an item of the history, `seen` for an item of the history that itself speaks most; else
        `like` what was looked at where the source compares vectors, else `popular`.
    """
    if not asking.history:
        return (Reason(POPULAR),)
    for name in models:
        speaker = asking.bundle.speakers.get(name)
        if speaker is not None:
            because = speaker.because(asking.history.items.tolist(), item)
            if because == item:  # many come back to an item before they take it; an item does not go with itself
                return (Reason("seen", asking.bundle.items.ids[item]),)
            if because is not None:
                return (Reason("goes_with", asking.bundle.items.ids[because]),)
    return (Reason("like"),) if source in asking.bundle.indexes else (Reason(POPULAR),)
