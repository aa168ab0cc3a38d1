"""Starting the server of a shop: checks first what would fail later, then hands over to the serving room."""

import os
from collections.abc import Callable
from pathlib import Path

from endcap.core.clock import system_clock
from endcap.core.errors import Code, UsageError
from endcap.core.manifest import read_manifest
from endcap.flows.key import checked_user_key
from endcap.flows.shop import find_shop
from endcap.flows.wiring.batch import open_ledger
from endcap.flows.wiring.serving import SHOP_VARIABLE
from endcap.flows.wiring.stores import pull_bundle
from endcap.governance.access import Action, local_actor, require
from endcap.serving.process import serve

__all__ = ["serve_shop"]

_MOST_WORKERS = 256  # as serving.workers


def serve_shop(
    root: Path, *, host: str, port: int | None, workers: int | None, on_listening: Callable[[str], None]
) -> None:
    """Serve a shop until the process is told to end.

    Args:
        root: The shop's folder.
        host: Address to listen on; "" for the configured one.
        port: Port, 0 for a free one; None for the configured one.
        workers: Processes, 1..256; None for the configured number.
        on_listening: Is told the server's URL.

    Raises:
        BundleError: There is no bundle yet.
        UsageError: The address cannot be used (PORT_UNUSABLE), or the number of workers is out of its range (USAGE).
    """
    if workers is not None and not 1 <= workers <= _MOST_WORKERS:
        raise UsageError(
            f"a server has 1 to {_MOST_WORKERS} workers, not {workers}",
            where="--workers",
            fix="leave it out to take serving.workers of endcap.toml; as many as cores is the most that helps",
            code=Code.USAGE,
        )
    shop = find_shop(root)
    pull_bundle(shop)
    manifest = read_manifest(shop.bundles / (shop.bundle_in_force() or "none"))
    with open_ledger(shop) as ledger:
        checked_user_key(shop, ledger)  # said here once and not by each worker
        resource = shop.resource(f"bundle/{manifest.bundle_id}")
        require(local_actor(), Action.SERVING_START, resource, audit=ledger.audit, at_us=system_clock())
    os.environ[SHOP_VARIABLE] = str(shop.root)
    settings = shop.config.serving
    serve(
        "endcap.flows.wiring.serving:create",
        host=host or settings.host,
        port=settings.port if port is None else port,
        workers=settings.workers if workers is None else workers,
        on_listening=on_listening,
    )
