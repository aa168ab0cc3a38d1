"""`endcap compact`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from endcap.cli.table import table
from endcap.flows.compact import Compacted, compact_where_needed
from endcap.flows.retention import Vacuumed, vacuum
from endcap.flows.shop import find_shop
from endcap.flows.wiring.batch import open_flow
from endcap.governance.access import Action, require

__all__ = ["compact"]


def compact(
    shop: Path, *, dry_run: bool = False, json_wanted: Annotated[bool, Parameter(name="--json")] = False
) -> None:
    """Put small files of tables together, and remove the files of versions that nobody can go back to.

    What tables hold stays as it is. The rule of what is removed is in docs/retention.md; a refresh does both by itself.

    Args:
        shop: The shop's folder.
        dry_run: Tell what would be done, and do nothing.
        json_wanted: Print one JSON object and nothing else.
    """
    opened = find_shop(shop)
    with open_flow(opened, through="", progress=lambda _report: None) as flow:
        resource = opened.resource("tables")
        require(flow.actor, Action.TABLES_COMPACT, resource, audit=flow.ledger.audit, at_us=flow.now_us)
        compacted = compact_where_needed(flow, dry_run=dry_run, wait_s=flow.wait_s)
        removed = vacuum(flow, dry_run=dry_run)
    if json_wanted:
        told = None if removed is None else [asdict(each) for each in removed]
        print(json.dumps({"tables": [asdict(each) for each in compacted], "vacuum": told}))
        return
    print(_told(compacted, removed or []))
    if removed is None:
        print("nothing was removed: a manifest in runs/ or bundles/ cannot be read, and it might name any version")


def _told(compacted: list[Compacted], removed: list[Vacuumed]) -> str:
    gone = {each.table: each for each in removed}
    rows = [
        [each.table, each.state, each.partitions, each.files_before, each.files_after,
         gone[each.table].versions_kept if each.table in gone else None,
         gone[each.table].files_removed if each.table in gone else None]
        for each in compacted
    ]  # fmt: skip
    return table(["table", "state", "partitions", "files", "files after", "versions kept", "files removed"], rows)
