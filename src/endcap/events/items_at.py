"""Which version of an item held at an instant."""

import ibis

from endcap.core.tables import ITEMS

__all__ = ["items_at"]


def items_at(items: ibis.Table, rows: ibis.Table) -> ibis.Table:
    """Put beside each row the version of its item that held at its instant.

    What a version says of an item that only events describe is told by all events of its first day: as of an instant
    within that day it may know what came later. Ask for the start of the day where that matters.

    Args:
        items: Under the contract ITEMS: the versions of an item tile time.
        rows: Any table with `item_id` and `at_us`, and no other column of ITEMS.

    Returns:
        The rows, each once, and the columns of ITEMS but `item_id`; missing where the item is unknown.
    """
    versions = items.rename(version_of="item_id")
    held = (rows.at_us >= versions.valid_from_us) & (
        versions.valid_to_us.isnull() | (rows.at_us < versions.valid_to_us)
    )
    joined = rows.left_join(versions, [rows.item_id == versions.version_of, held])
    return joined.select(*rows.columns, *[name for name in ITEMS.names if name != "item_id"])
