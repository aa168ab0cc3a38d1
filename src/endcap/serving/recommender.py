"""The recommender: from a visitor and a placement to a slate; what HTTP and Python callers share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from endcap.core.clock import Clock
from endcap.core.errors import Code, RequestError, near
from endcap.core.history import NO_HISTORY, History
from endcap.core.slate import Slate
from endcap.features.online import VisitorFeatures
from endcap.serving.asking import Asking
from endcap.serving.bundle import ServingBundle
from endcap.serving.config import PlacementConfig, PlacementsConfig, ServingConfig
from endcap.serving.current import CurrentBundle
from endcap.serving.history import history_of, looked_at
from endcap.serving.meters import Meters
from endcap.serving.pipeline import Answer, answer
from endcap.serving.state import VisitorState
from endcap.serving.visitor_features import NOBODY, features_of

__all__ = ["MOST_ITEMS", "PRODUCT", "Recommended", "Recommender", "Visitor"]

PRODUCT = "product"
"""The placement that asks by items and not by a visitor."""

MOST_ITEMS = 100
"""The longest slate."""


@dataclass(frozen=True)
class Visitor:
    """Who is asked for.

    Args:
        user_key: Keyed hash of the user, of the device where nobody is logged in; None for one without any id.
        device_key: Keyed hash of the device; its history is used while the user has none.
    """

    user_key: str | None = None
    device_key: str | None = None


@dataclass(frozen=True)
class Recommended:
    """A slate, and how it came about.

    Args:
        slate: The slate.
        answer: What the pipeline says of it.
        num_history: Items that it was recommended by.
        features: Returns the visitor's features when it was asked; computed when it is first called.
    """

    slate: Slate
    answer: Answer
    num_history: int
    features: Callable[[], VisitorFeatures]


class Recommender:
    """Answers by the bundle in force.

    Args:
        current: The bundle in force.
        state: Visitors' live state; None where there is none.
        config: Placements and the length of histories.
        new_id: Makes the id of each slate.
        meters: Where stages and fallbacks are counted.
        clock: The instant at which features are told.
    """

    def __init__(
        self,
        current: CurrentBundle,
        state: VisitorState | None,
        *,
        config: ServingConfig,
        new_id: Callable[[], str],
        meters: Meters,
        clock: Clock,
    ) -> None:
        self._current = current
        self._state = state
        self._config = config
        self._new_id = new_id
        self._meters = meters
        self._clock = clock

    def recommend(
        self,
        visitor: Visitor,
        *,
        placement: str,
        item_ids: Sequence[str] = (),
        n: int = 10,
        exclude: Sequence[str] = (),
    ) -> Recommended:
        """Recommend.

        Args:
            visitor: For whom.
            placement: Where the slate is shown.
            item_ids: The items looked at, the latest last; `product` needs one.
            n: How many items, 1..100.
            exclude: Items that are not wanted.

        Raises:
            RequestError: The placement is unknown, `n` is out of its range, or an item is needed.
            BundleError: There is no bundle at all.
        """
        settings = _checked(self._config.placements, placement, item_ids, n)
        bundle = self._current.get()
        now_us = self._clock()
        features = cache(lambda: self._features(bundle, visitor, now_us))
        with self._meters.stage("history"):
            looking_at = looked_at(bundle.items.numbers(item_ids), at_us=now_us)
            history, fallbacks = self._history(bundle, visitor, placement, looking_at)
        asking = Asking(
            bundle,
            history,
            n,
            current=frozenset((looking_at if len(looking_at) else history.last(1)).items.tolist()),
            excluded=frozenset(bundle.items.numbers(exclude)),
            drops_seen=settings.drop_seen,
            features=features,
        )
        found = answer(asking, settings, self._meters)
        fallbacks.extend(found.fallbacks)
        for reason in fallbacks:
            self._meters.fallbacks.labels(reason).inc()
        slate = Slate(
            recommendation_id=self._new_id(),
            placement=placement,
            items=found.items,
            variant=None,
            model_version=bundle.version,
            fallback=fallbacks[0] if fallbacks else None,
        )
        return Recommended(slate, found, len(history), features)

    def features(self, visitor: Visitor, *, at_us: int) -> VisitorFeatures:
        """Return a visitor's features at an instant, as far as the bundle in force and the live state tell.

        Args:
            visitor: Whose.
            at_us: The instant, microseconds UTC; what happened later does not count.

        Raises:
            BundleError: There is no bundle at all.
        """
        return self._features(self._current.get(), visitor, at_us)

    def _features(self, bundle: ServingBundle, visitor: Visitor, at_us: int) -> VisitorFeatures:
        keys = _keys_of(bundle, visitor)
        return features_of(keys, at_us, past=bundle.visitors, state=self._state) if keys else NOBODY

    def _history(
        self, bundle: ServingBundle, visitor: Visitor, placement: str, looking_at: History
    ) -> tuple[History, list[str]]:
        """Return what to recommend by, and why it is less than it should be."""
        length = self._config.history_length
        if placement == PRODUCT and len(looking_at):
            return looking_at.last(length), []
        fallbacks = ["item_unknown"] if placement == PRODUCT else []
        history = NO_HISTORY
        keys, device = _keys_of(bundle, visitor), visitor.device_key
        # What was done on a device of nobody's is better than nothing; on one of somebody else's it is his alone.
        is_nobodys = device is not None and device not in keys and bundle.owners.owner_of(device) is None
        for some in (keys, (device,) if device is not None and is_nobodys else ()):
            if some and not len(history):
                history, failed = history_of(some, bundle, self._state, length=length)
                fallbacks.extend(failed)
        return history.then(looking_at).last(length), fallbacks


def _keys_of(bundle: ServingBundle, visitor: Visitor) -> tuple[str, ...]:
    """Return the keys under which a visitor is known, none for nobody.

    The first is the one that the bundle's tables know him by: of who is not logged in, the user whose the device is.
    The second is his device's, if it is his: what happens there without a login is his too.
    """
    device = visitor.device_key or visitor.user_key
    if visitor.user_key is None or device is None:
        return ()
    owner = bundle.owners.owner_of(device)
    if visitor.user_key == device:
        return (device,) if owner is None else (owner, device)
    return (visitor.user_key, device) if owner == visitor.user_key else (visitor.user_key,)


def _checked(placements: PlacementsConfig, placement: str, item_ids: Sequence[str], n: int) -> PlacementConfig:
    """Return the settings of a placement, if the request can be answered."""
    known: dict[str, PlacementConfig] = {name: getattr(placements, name) for name in type(placements).model_fields}
    if placement not in known:
        raise RequestError(
            f"there is no placement '{placement[:80]}'; {near(placement, known)}",
            where="$.placement",
            fix=f"use one of {', '.join(sorted(known))}",
            code=Code.PLACEMENT_UNKNOWN,
        )
    if not 1 <= n <= MOST_ITEMS:
        raise RequestError(
            f"n is {n}, outside of 1..{MOST_ITEMS}",
            where="$.n",
            fix=f"ask for 1 to {MOST_ITEMS} items",
            code=Code.SLATE_SIZE,
        )
    if placement == PRODUCT and not item_ids:
        raise RequestError(
            "the placement 'product' recommends by items, and none is named",
            where="$.item_ids",
            fix='name the item of the page, for instance "item_ids": ["A1"], or use the placement home',
            code=Code.ITEMS_MISSING,
        )
    return known[placement]
