"""Adapters of the online path. What is imported here is what a server loads: nothing that only training needs."""

import os
import uuid
from pathlib import Path

import structlog
from litestar import Litestar

from endcap.core.clock import system_clock
from endcap.flows.shop import Shop, find_shop
from endcap.flows.wiring.stores import open_far_bundles, pull_bundle
from endcap.governance.access import Action, Actor, ActorKind, Role, require
from endcap.governance.audit import AuditRow
from endcap.governance.logging import configure_logging
from endcap.models.scorers import load_scorer
from endcap.serving.app import create_app
from endcap.serving.local import LocalRecommender
from endcap.stores.adapters.lmdb import LmdbKeyValues

__all__ = ["SHOP_VARIABLE", "create", "open_recommender"]

SHOP_VARIABLE = "ENDCAP_SHOP"
"""Environment variable that tells the server's workers which shop they serve."""


def create() -> Litestar:
    """Make the application of one server process: the factory that Granian calls in each worker."""
    configure_logging(json=True)
    shop = find_shop(Path(os.environ[SHOP_VARIABLE]))
    settings = shop.config.shop
    service = Actor(
        kind=ActorKind.SERVICE, name="api", roles=frozenset({Role.SERVICE}), organisation=settings.organisation
    )

    def door(_actor: str, action: str, resource: str) -> None:
        named = shop.resource(f"serving/{resource}")
        require(service, Action(action), named, audit=_RefusalsToTheLog(), at_us=system_clock())

    return create_app(
        bundles=shop.bundles,
        landing=shop.landing,
        kv=LmdbKeyValues(shop.kv, size_mb=shop.config.serving.kv_mb),
        config=shop.config.serving,
        user_key=shop.user_key(),
        clock=system_clock,
        new_id=_new_id,
        load_scorer=load_scorer,
        door=door,
        organisation=settings.organisation,
        project=settings.project,
        default_currency=shop.config.events.default_currency,
        far_bundles=open_far_bundles(shop),
    )


def open_recommender(shop: Shop) -> LocalRecommender:
    """Open the same pipeline in this process; visitors' live state counts where a server has kept some.

    Raises:
        BundleError: The shop has no bundle yet, or it cannot be used.
    """
    pull_bundle(shop)
    return LocalRecommender.open(
        bundles=shop.bundles,
        kv=LmdbKeyValues(shop.kv, size_mb=shop.config.serving.kv_mb) if shop.kv.exists() else None,
        config=shop.config.serving,
        user_key=shop.user_key(),
        load_scorer=load_scorer,
        clock=system_clock,
        new_id=_new_id,
    )


class _RefusalsToTheLog:
    """The audit log of a server: it writes nothing for what it serves, and a refusal goes to its own log."""

    def append(self, row: AuditRow) -> None:
        """Log a refused request."""
        structlog.get_logger().warning("access.refused", action=row.action, resource=row.resource, detail=row.detail)


def _new_id() -> str:
    return uuid.uuid4().hex
