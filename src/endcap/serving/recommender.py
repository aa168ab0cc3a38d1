"""The recommender: from a visitor and a placement to a slate; what HTTP and Python callers share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import structlog

from endcap.core.clock import Clock
from endcap.core.errors import Code, EndcapError, RequestError, near
from endcap.core.slate import Slate
from endcap.features.online import VisitorFeatures
from endcap.serving.asking import Asking
from endcap.serving.bundle import ServingBundle
from endcap.serving.config import PlacementConfig, PlacementsConfig, ServingConfig
from endcap.serving.current import CurrentBundle
from endcap.serving.history import joined
from endcap.serving.meters import Meters
from endcap.serving.pipeline import Answer, answer
from endcap.serving.state import VisitorState
from endcap.serving.visitor_features import NOBODY, features_of

__all__ = ["MOST_ITEMS", "PRODUCT", "Recommended", "Recommender", "Visitor"]

_log = structlog.get_logger()

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
        features = cache(lambda: self._features(bundle, visitor.user_key, now_us))
        with self._meters.stage("history"):
            history, fallbacks = self._history(bundle, visitor, placement, item_ids)
        looked_at = bundle.items.numbers(item_ids)
        asking = Asking(
            bundle,
            history,
            n,
            current=frozenset(looked_at or history[-1:]),
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

    def features(self, user_key: str, *, at_us: int) -> VisitorFeatures:
        """Return a visitor's features at an instant, as far as the bundle in force and the live state tell.

        Args:
            user_key: Keyed hash of the visitor.
            at_us: The instant, microseconds UTC; what happened later does not count.

        Raises:
            BundleError: There is no bundle at all.
        """
        return self._features(self._current.get(), user_key, at_us)

    def _features(self, bundle: ServingBundle, user_key: str | None, at_us: int) -> VisitorFeatures:
        if user_key is None:
            return NOBODY
        keys = _keys_of(bundle, user_key)
        return features_of(keys, at_us, past=bundle.visitors, state=self._state)

    def _history(
        self, bundle: ServingBundle, visitor: Visitor, placement: str, item_ids: Sequence[str]
    ) -> tuple[list[int], list[str]]:
        """Return the item numbers to recommend by, oldest first, and why they are fewer than they should be."""
        looked_at = bundle.items.numbers(item_ids)
        if placement == PRODUCT and looked_at:
            return looked_at[-self._config.history_length :], []
        fallbacks = ["item_unknown"] if placement == PRODUCT else []
        history: list[int] = []
        for key in (visitor.user_key, visitor.device_key):
            if key is not None and not history:
                history, failed = self._history_of(bundle, key)
                fallbacks.extend(failed)
        return (history + looked_at)[-self._config.history_length :], fallbacks

    def _history_of(self, bundle: ServingBundle, key: str) -> tuple[list[int], list[str]]:
        """Return one key's history: what the bundle knows, then the live state."""
        past: list[int] = []
        live: list[int] = []
        keys: tuple[str, ...] = (key,)
        failed = []
        try:
            keys = _keys_of(bundle, key)
            past = bundle.histories.history(keys[0])
        except Exception as error:  # noqa: BLE001 - the live state alone is a fair history
            _log.warning("history.failed", error=f"{type(error).__name__}: {error}")
            failed.append("history_unavailable")
        try:
            elements = sorted({each for name in keys for each in self._state.elements(name)}) if self._state else []
            live = bundle.items.numbers(element.item_id for element in elements)
        except Exception as error:  # noqa: BLE001 - the bundle's history alone is a fair one
            told = error.what if isinstance(error, EndcapError) else f"{type(error).__name__}: {error}"
            _log.warning("state.failed", error=told)
            failed.append("state_unavailable")
        return joined(past, live, length=self._config.history_length), failed


def _keys_of(bundle: ServingBundle, key: str) -> tuple[str, ...]:
    """Return the keys under which a visitor is known: first the one that the bundle's tables know him by."""
    owner = bundle.owners.owner_of(key)
    return (key,) if owner is None else (owner, key)


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
