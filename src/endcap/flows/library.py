"""`endcap.open(...)`: a shop from Python, without a server."""

from collections.abc import Sequence
from pathlib import Path

from endcap.core.clock import system_clock
from endcap.core.ids import user_key
from endcap.core.slate import Slate
from endcap.flows.key import checked_user_key
from endcap.flows.refresh import Refreshed, refresh
from endcap.flows.shop import Shop, find_shop
from endcap.flows.wiring.batch import open_ledger
from endcap.flows.wiring.serving import open_recommender
from endcap.governance.access import Action, local_actor, require
from endcap.governance.logging import log_as_a_library
from endcap.serving.local import LocalRecommender

__all__ = ["OpenShop", "open_shop"]


class OpenShop:
    """A shop that can be refreshed, asked and looked at.

    Args:
        shop: The shop on disk.
    """

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self._recommender: LocalRecommender | None = None

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
        """Recommend from the bundle in force, as the server would.

        Args:
            user_id: A logged-in customer's id, as the shop writes it.
            user_pseudo_id: A cookie's id; used where `user_id` is None.
            item_ids: The items looked at (placement product).
            placement: home or product.
            n: How many items, 1..100.
            exclude: Items that must not be in the answer.

        Returns:
            The slate; its items stand in order.

        Raises:
            BundleError: The shop has no bundle yet.
            ConfigError: The key is not the shop's.
            RequestError: The placement is unknown or `n` out of range.
        """
        with open_ledger(self.shop) as ledger:
            key = checked_user_key(self.shop, ledger)
            who = user_key(user_id=user_id, user_pseudo_id=user_pseudo_id, key=key)
            # A person who looks at what a shopper is shown reads personal data: this is written down.
            action, name = (Action.PERSONAL_READ, f"user/{who}") if who else (Action.SERVING_RECOMMEND, "placements")
            require(local_actor(), action, self.shop.resource(name), audit=ledger.audit, at_us=system_clock())
        if self._recommender is None:
            self._recommender = open_recommender(self.shop)
        return self._recommender.recommend(
            user_id=user_id,
            user_pseudo_id=user_pseudo_id,
            item_ids=tuple(item_ids),
            placement=placement,
            n=n,
            exclude=tuple(exclude),
        )

    def refresh(self, *, through: str = "") -> Refreshed:
        """Bring the shop up to date; see `endcap refresh`."""
        self._recommender = None
        return refresh(self.shop.root, through=through)


def open_shop(root: str | Path) -> OpenShop:
    """Open a shop made by `endcap init`.

    Args:
        root: The shop's folder.

    Raises:
        ConfigError: There is no shop, or its configuration cannot be used.
    """
    log_as_a_library()
    return OpenShop(find_shop(Path(root)))
