"""A shopper to show a shop with: the items of one real session of the last day."""

from pathlib import Path

from endcap.core.errors import Code, DataError
from endcap.core.tables import ITEMS, SEQUENCES
from endcap.flows.shop import find_shop
from endcap.flows.wiring.batch import open_flow
from endcap.governance.access import Action, require

__all__ = ["example_session"]

_FEWEST, _MOST = 3, 8


def example_session(root: Path) -> list[tuple[str, str, str]]:
    """Return the events of one session as (event name, item id, title), oldest first.

    The session is of the last day that has one with 3 to 8 events; the one with the most different items is taken, the
    earliest of equals. It names no user.

    Raises:
        DataError: No session of the shop is like that.
    """
    shop = find_shop(root)
    with open_flow(shop, through="", progress=lambda _report: None) as flow:
        require(
            flow.actor, Action.SHOP_READ, shop.resource("table/sequences"), audit=flow.ledger.audit, at_us=flow.now_us
        )
        for day in reversed(flow.days(SEQUENCES)):
            sequences = flow.read(SEQUENCES, [day])
            wanted = sequences.filter(
                (sequences.scope == "session") & sequences.item_ids.length().between(_FEWEST, _MOST)
            ).order_by(["started_us", "session_id"])
            rows = flow.engine.to_arrow(wanted.select("item_ids", "event_names")).to_pylist()
            if rows:
                best = max(rows, key=lambda row: len(set(row["item_ids"])))
                items = flow.read(ITEMS)
                known = flow.engine.to_arrow(items.filter(items.valid_to_us.isnull()).select("item_id", "title"))
                titles = dict(zip(known["item_id"].to_pylist(), known["title"].to_pylist(), strict=True))
                told = zip(best["event_names"], best["item_ids"], strict=True)
                return [(event_name, item_id, titles[item_id]) for event_name, item_id in told]
    raise DataError(
        f"no session has {_FEWEST} to {_MOST} events",
        where="table sequences",
        fix="run `endcap refresh` on more days",
        code=Code.SPLIT_EMPTY,
    )
