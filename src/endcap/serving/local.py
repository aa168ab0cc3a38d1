"""Recommending from Python, without a server; the same pipeline on the same bundle."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from endcap.core.clock import Clock
from endcap.core.ids import user_key
from endcap.core.slate import Slate
from endcap.serving.bundle import LoadScorer
from endcap.serving.config import ServingConfig
from endcap.serving.current import CurrentBundle
from endcap.serving.meters import Meters
from endcap.serving.recommender import Recommender, Visitor
from endcap.serving.state import VisitorState
from endcap.stores.kv import KeyValues

__all__ = ["LocalRecommender"]


class LocalRecommender:
    """Recommends in this process. Its slates are shown to nobody, so they are not logged.

    Args:
        recommender: What answers.
        current: The bundle in force; looked for anew at each question.
        key: The shop's key, 32 bytes.
    """

    def __init__(self, recommender: Recommender, current: CurrentBundle, *, key: bytes) -> None:
        self._recommender = recommender
        self._current = current
        self._key = key

    @classmethod
    def open(  # noqa: PLR0913 - what comes from outside, by keyword
        cls,
        *,
        bundles: Path,
        kv: KeyValues | None,
        config: ServingConfig,
        user_key: bytes,
        load_scorer: LoadScorer,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> Self:
        """Open the bundle in force.

        Args:
            bundles: The folder of bundles.
            kv: Visitors' live state; None where no server keeps one.
            config: Placements.
            user_key: The shop's key, 32 bytes.
            load_scorer: Reads a model's folder.
            clock: Tells ages.
            new_id: Makes the id of each slate.

        Raises:
            BundleError: There is no bundle, or it cannot be used.
        """
        meters = Meters()
        current = CurrentBundle(bundles, load_scorer, clock=clock, meters=meters)
        current.look()
        current.get()
        length, num_rows = config.history_length, config.feature_rows
        state = VisitorState(kv, events=config.history_events, length=length, num_rows=num_rows) if kv else None
        recommender = Recommender(current, state, config=config, new_id=new_id, meters=meters, clock=clock)
        return cls(recommender, current, key=user_key)

    def recommend(
        self,
        *,
        user_id: str | None = None,
        user_pseudo_id: str | None = None,
        item_ids: Sequence[str] = (),
        placement: str = "home",
        n: int = 10,
        exclude: Sequence[str] = (),
    ) -> Slate:
        """Recommend; see `Recommender.recommend`. Raw ids are hashed here and go no further."""
        self._current.look()
        visitor = Visitor(
            user_key=user_key(user_id=user_id, user_pseudo_id=user_pseudo_id, key=self._key),
            device_key=user_key(user_id=None, user_pseudo_id=user_pseudo_id, key=self._key),
        )
        return self._recommender.recommend(visitor, placement=placement, item_ids=item_ids, n=n, exclude=exclude).slate
