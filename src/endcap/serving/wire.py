"""Requests and answers of the HTTP interface, as msgspec checks them. Field names of events are GA4's.

Every field has its bounds here; what JSON cannot say (a placement that exists, a currency in use) is checked later.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from endcap.core.slate import Slate

__all__ = [
    "EventItem",
    "EventRequest",
    "EventsAnswer",
    "Explained",
    "Explanation",
    "Problem",
    "RecommendRequest",
    "Rejected",
]

Id = Annotated[str, Meta(min_length=1, max_length=512)]
Text = Annotated[str, Meta(max_length=2048)]
Ids = Annotated[list[Id], Meta(max_length=1000)]
Amount = Annotated[float, Meta(ge=0, le=1e10)]


def _alias(system: str) -> Meta:
    return Meta(description=f"Another name of recommendation_id: {system}'s")


class RecommendRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to recommend for whom.

    Args:
        placement: home or product.
        user_id: A logged-in customer's id, as the shop writes it.
        user_pseudo_id: A cookie's id.
        item_ids: Items looked at, the latest last; needed by product.
        n: How many items, 1..100.
        exclude: Items that are not wanted.
        context: Facts about the moment, by name. Taken and not used yet.
        explain: Whether the answer tells how it came about.
    """

    placement: str
    user_id: Id | None = None
    user_pseudo_id: Id | None = None
    item_ids: Ids = []
    n: int = 10
    exclude: Ids = []
    context: dict[str, str | int | float | bool | None] = {}
    explain: bool = False


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """How a slate came about.

    Args:
        model: The model that ordered it; "" where none could.
        num_history: Items that it was recommended by.
        num_candidates: Source -> items that it was the first to propose and that could be shown.
        removed: Item -> why it was taken out: current, excluded, out_of_stock or seen.
        fallbacks: All reasons why it is simpler than it should be.
        features: The visitor's features at this instant by name, null where missing; none for a visitor without any id.
        features_approximate: Names of those that may lack events: the visitor has more than are kept, or a part of what
            is known of them cannot be read.
    """

    model: str
    num_history: int
    num_candidates: dict[str, int]
    removed: dict[str, str]
    fallbacks: tuple[str, ...]
    features: dict[str, int | float | None]
    features_approximate: tuple[str, ...]


class Explained(Slate, frozen=True, kw_only=True):
    """A slate with its explanation."""

    explanation: Explanation


class EventItem(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One item of an event. GA4's other fields of items are taken and not kept: the catalogue knows them."""

    item_id: Id | None = None
    item_name: Text | None = None
    item_variant: Text | None = None
    price: Amount | None = None
    quantity: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    index: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    item_list_id: Text | None = None
    item_list_name: Text | None = None
    item_brand: Text | None = None
    item_category: Text | None = None
    item_category2: Text | None = None
    item_category3: Text | None = None
    item_category4: Text | None = None
    item_category5: Text | None = None
    affiliation: Text | None = None
    coupon: Text | None = None
    discount: float | None = None
    location_id: Text | None = None
    promotion_id: Text | None = None
    promotion_name: Text | None = None
    creative_name: Text | None = None
    creative_slot: Text | None = None


class EventRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One event.

    A slate may be named as other systems do; of recommendation_id, RECOMMENDATION_ID, attributionToken, recommId and
    ranking the first one that is there counts.

    Args:
        event_name: GA4 name, such as view_item.
        event_timestamp: Instant, microseconds UTC; the time of arrival where it is missing.
        user_id: A logged-in customer's id, as the shop writes it.
        user_pseudo_id: A cookie's id. One of both is needed.
        ga_session_id: The source's own session id.
        items: The items it is about.
        currency: ISO 4217; needed with amounts where the shop has no default currency.
        value: Value of the whole event, major units.
        transaction_id: Order number.
        event_id: A UUID of the sender's, or any text that is one event's own; an event sent twice counts once.
        item_list_id: The list shown.
        item_list_name: Its name, where it has no id.
        search_term: What was searched for.
        recommendation_id: The slate that showed or led to the items.
        RECOMMENDATION_ID: The same, as Personalize names it.
        attributionToken: The same, as Vertex names it.
        recommId: The same, as Recombee names it.
        ranking: The same, as Metarank names it.
        country: Country as the source names it.
        device_category: desktop, mobile or tablet.
        coupon: Taken and not kept.
        affiliation: Taken and not kept.
        tax: Taken and not kept.
        shipping: Taken and not kept.
    """

    event_name: str
    event_timestamp: int | None = None
    user_id: Id | None = None
    user_pseudo_id: Id | None = None
    ga_session_id: Id | int | None = None
    items: Annotated[list[EventItem], Meta(max_length=500)] = []
    currency: str | None = None
    value: Amount | None = None
    transaction_id: Id | None = None
    event_id: Id | None = None
    item_list_id: Text | None = None
    item_list_name: Text | None = None
    search_term: Text | None = None
    recommendation_id: Text | None = None
    RECOMMENDATION_ID: Annotated[Text | None, _alias("Personalize")] = None
    attributionToken: Annotated[Text | None, _alias("Vertex")] = None
    recommId: Annotated[Text | None, _alias("Recombee")] = None
    ranking: Annotated[Text | None, _alias("Metarank")] = None
    country: Text | None = None
    device_category: Text | None = None
    coupon: Text | None = None
    affiliation: Text | None = None
    tax: float | None = None
    shipping: float | None = None

    def slate_id(self) -> str | None:
        """Return the slate that showed or led to the items, under whichever name it was told."""
        names = (
            self.recommendation_id, self.RECOMMENDATION_ID, self.attributionToken, self.recommId, self.ranking
        )  # fmt: skip
        return next((name for name in names if name), None)


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """One event that was not taken.

    Args:
        row: Its place in the request, from 0.
        code: Why; the same codes as in the quarantine.
        detail: What is wrong, where.
    """

    row: int
    code: str
    detail: str


class EventsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the events of a request.

    Args:
        accepted: Events that are on disk now.
        duplicates: Events that were there already, by event_id.
        rejected: Events that were not taken.
    """

    accepted: int
    duplicates: int
    rejected: tuple[Rejected, ...]


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error as RFC 9457 writes it, with our stable code and what to do.

    Args:
        type: A URI of the code.
        title: The code in words.
        status: The HTTP status.
        detail: What happened.
        code: Stable; the playbook has a section for each.
        fix: What to do.
        where: The path into the request, or the file.
        rejected: The events that were not taken.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    fix: str
    where: str | None = None
    rejected: tuple[Rejected, ...] = ()
