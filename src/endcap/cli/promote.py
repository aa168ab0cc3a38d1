"""`endcap promote`."""

from pathlib import Path

from endcap.flows.deploy import promote
from endcap.flows.shop import find_shop
from endcap.flows.wiring.batch import open_flow
from endcap.governance.access import Action, require

__all__ = ["promote_verb"]


def promote_verb(shop: Path, bundle: str) -> None:
    """Put a bundle in force: one that a backfill has made and measured, or an older one to go back to.

    Its files are checked against its manifest first. A server changes over by itself.

    Args:
        shop: The shop's folder.
        bundle: The bundle's id: the name of its folder where the bundles lie.
    """
    opened = find_shop(shop)
    with open_flow(opened, through="", progress=lambda _report: None) as flow:
        named = opened.resource(f"bundle/{bundle}")
        require(flow.actor, Action.BUNDLE_DEPLOY, named, audit=flow.ledger.audit, at_us=flow.now_us)
        before = opened.bundle_in_force()
        promote(flow, bundle)
    print(f"in force: bundle {bundle}; before: {before or 'none'}")
