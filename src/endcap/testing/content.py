"""What a shop holds, as digests read from the disk itself: two shops of equal content give equal mappings."""

import json
from pathlib import Path

from endcap.core.manifest import read_manifest
from endcap.core.tables import TABLES
from endcap.flows.shop import find_shop
from endcap.flows.wiring.batch import open_flow
from endcap.flows.wiring.stores import pull_bundle

__all__ = ["shop_content"]


def shop_content(root: Path) -> dict[str, str]:
    """Digest everything that a refresh makes: tables, models, indexes, metrics and the bundle in force.

    Version numbers, run ids, times and the ledger's own rows are left out: they tell how it was made, not what it is.

    Args:
        root: The shop's folder.

    Returns:
        Name of each part -> its digest; tables by partition, read from their files and not from the ledger.
    """
    shop = find_shop(root)
    content: dict[str, str] = {}
    with open_flow(shop, through="", progress=lambda _report: None) as flow:
        for table in TABLES.values():
            rows = flow.engine.materialise(flow.read(table))
            for partition, found in flow.engine.partition_digests(rows, table).items():
                content[f"table {table.name} {partition}".rstrip()] = f"{found['rows']} {found['digest']}"
        for step in ("train", "index", "evaluate"):
            for name, output in flow.ledger.outputs(step).items():
                content[f"{step} {name}".rstrip()] = output["version"]
    pull_bundle(shop)
    manifest = read_manifest(shop.bundles / shop.bundle_in_force())
    content["bundle"] = f"{manifest.bundle_id} {manifest.content_digest}"
    content["metrics"] = json.dumps(manifest.metrics, sort_keys=True)
    content.update({f"bundle file {name}": digest for name, digest in manifest.files.items()})
    return content
