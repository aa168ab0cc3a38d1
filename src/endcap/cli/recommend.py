"""`endcap recommend`."""

import json
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from endcap.cli.table import table
from endcap.core.currency import amount_text
from endcap.flows.library import open_shop

__all__ = ["recommend"]


def recommend(  # noqa: PLR0913 - a command has as many arguments as it has choices
    shop: Path,
    *,
    user_id: str | None = None,
    user_pseudo_id: str | None = None,
    items: str = "",
    placement: str = "home",
    slate_size: Annotated[int, Parameter(name="--n")] = 10,
    json_wanted: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """Recommend without a server, from the bundle in force.

    Args:
        shop: The shop's folder.
        user_id: A logged-in customer's id, as the shop writes it.
        user_pseudo_id: A cookie's id.
        items: Ids of the items looked at (placement product), with commas between.
        placement: home or product.
        slate_size: How many items.
        json_wanted: Print one JSON object and nothing else.
    """
    slate = open_shop(shop).recommend(
        user_id=user_id,
        user_pseudo_id=user_pseudo_id,
        item_ids=tuple(each for each in items.split(",") if each),
        placement=placement,
        n=slate_size,
    )
    if json_wanted:
        print(json.dumps(msgspec.to_builtins(slate)))
        return
    rows = [
        [
            item.place,
            item.item_id,
            item.title,
            amount_text(item.price_minor, item.currency),
            item.score,
            item.source,
            "; ".join(f"{reason.code} {reason.item_id or ''}".rstrip() for reason in item.reasons),
        ]
        for item in slate.items
    ]
    print(table(["place", "item", "title", "price", "score", "source", "reason"], rows))
    if slate.fallback:
        print(f"a simpler answer than usual: {slate.fallback}")
