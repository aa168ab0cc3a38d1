"""The recommender: from a visitor and a placement to a slate; what HTTP and Python callers share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import structlog

from endcap.core.clock import Clock
from endcap.core.errors import Code, EndcapError, RequestError, near
from endcap.core.slate import Slate
from endcap.features.online import VisitorFeatures
from endcap.features.visitor_rows import VisitorRows
from endcap.serving.asking import Asking
from endcap.serving.bundle import ServingBundle
from endcap.serving.config import PlacementConfig, PlacementsConfig, ServingConfig
from endcap.serving.current import CurrentBundle
from endcap.serving.history import joined
from endcap.serving.meters import Meters
from endcap.serving.pipeline import Answer, answer
from endcap.serving.state import Element, VisitorState
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
        features = cache(lambda: self._features(bundle, visitor, now_us))
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
        self, bundle: ServingBundle, visitor: Visitor, placement: str, item_ids: Sequence[str]
    ) -> tuple[list[int], list[str]]:
        """Return the item numbers to recommend by, oldest first, and why they are fewer than they should be."""
        looked_at = bundle.items.numbers(item_ids)
        if placement == PRODUCT and looked_at:
            return looked_at[-self._config.history_length :], []
        fallbacks = ["item_unknown"] if placement == PRODUCT else []
        history: list[int] = []
        keys, device = _keys_of(bundle, visitor), visitor.device_key
        # What was done on a device of nobody's is better than nothing; on one of somebody else's it is his alone.
        is_nobodys = device is not None and device not in keys and bundle.owners.owner_of(device) is None
        for some in (keys, (device,) if device is not None and is_nobodys else ()):
            if some and not history:
                history, failed = self._history_of(bundle, some)
                fallbacks.extend(failed)
        return (history + looked_at)[-self._config.history_length :], fallbacks

    def _history_of(self, bundle: ServingBundle, keys: Sequence[str]) -> tuple[list[int], list[str]]:
        """Return the history of a visitor's keys: what the bundle knows, then the live state from where that ends."""
        past: list[int] = []
        late: list[int] = []
        live: list[int] = []
        known = VisitorRows()
        failed = []
        try:
            past = bundle.histories.history(keys[0])
            known = bundle.visitors.of(keys[0])
        except Exception as error:  # noqa: BLE001 - the live state alone is a fair history
            _log.warning("history.failed", error=f"{type(error).__name__}: {error}")
            failed.append("history_unavailable")
        try:
            new, end_us = self._new(keys, known), known.last_us or 0
            late = bundle.items.numbers(each.item_id for each in new if each.at_us <= end_us)
            live = bundle.items.numbers(each.item_id for each in new if each.at_us > end_us)
        except Exception as error:  # noqa: BLE001 - the bundle's history alone is a fair one
            told = error.what if isinstance(error, EndcapError) else f"{type(error).__name__}: {error}"
            _log.warning("state.failed", error=told)
            failed.append("state_unavailable")
        length = self._config.history_length
        # What came late counts as the oldest: the past does not tell its instants.
        whole = joined(past, live, length=length) if known.last_us is None else (late + past + live)[-length:]
        return whole, failed

    def _new(self, keys: Sequence[str], known: VisitorRows) -> list[Element]:
        """Return what the live state has and the bundle's tables do not, oldest first.

        Of the visitor's own key that is what they have no row of; of his device's, what is later than all they know of
        him: whose it was before, they have settled.
        """
        if self._state is None:
            return []
        own, *others = (self._state.elements(key) for key in keys)
        is_known = known.holds(np.array([each.at_us for each in own], np.int64))
        new = [each for each, has in zip(own, is_known.tolist(), strict=True) if not has]
        new += [each for some in others for each in some if each.at_us > (known.last_us or 0)]
        return sorted(set(new))


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
