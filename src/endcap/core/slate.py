"""The slate: the ordered items of one answer, each with its source and its reasons."""

import msgspec

__all__ = ["Reason", "Slate", "SlateItem"]


class Reason(msgspec.Struct, frozen=True):
    """Why an item stands in a slate, as a code that a page can turn into a sentence.

    Args:
        code: goes_with (often taken after `item_id`), seen (looked at before, and often gone back to), like (near to
            what was looked at) or popular.
        item_id: The item of the history that speaks for it; None where the whole history or nobody's does.
    """

    code: str
    item_id: str | None = None


class SlateItem(msgspec.Struct, frozen=True, kw_only=True):
    """One place of a slate.

    Args:
        item_id: The item.
        place: From 1.
        score: What ordered it, higher is better; comparable within the slate only.
        source: The source that proposed it, the first one of those configured.
        reasons: At least one, the strongest first.
        propensity: Probability with which the policy put it at this place; 1 where nothing is drawn.
        title: Its title.
        price_minor: Its price in minor units of `currency`, None where unknown.
        currency: ISO 4217, None where unknown.
        availability: in_stock, preorder or backorder.
    """

    item_id: str
    place: int
    score: float
    source: str
    reasons: tuple[Reason, ...]
    propensity: float = 1.0
    title: str | None = None
    price_minor: int | None = None
    currency: str | None = None
    availability: str | None = None


class Slate(msgspec.Struct, frozen=True, kw_only=True):
    """One answer.

    Args:
        recommendation_id: Names the slate; events that follow from it send it back.
        placement: Where it is shown.
        items: In order; fewer than asked for when no more are eligible.
        variant: Of the experiment, None outside of one.
        model_version: The bundle that answered.
        fallback: Why a simpler answer was given, None when none was.
    """

    recommendation_id: str
    placement: str
    items: tuple[SlateItem, ...]
    variant: str | None
    model_version: str
    fallback: str | None
