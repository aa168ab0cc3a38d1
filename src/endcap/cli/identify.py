"""`endcap identify`."""

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from endcap.cli.table import table
from endcap.core.clock import system_clock
from endcap.core.errors import Code, UsageError
from endcap.core.ids import user_key
from endcap.flows.shop import find_shop
from endcap.flows.wiring.batch import open_ledger, open_raw_ids
from endcap.governance.access import Action, local_actor, require

__all__ = ["identify"]


def identify(
    shop: Path,
    *keys: str,
    user_id: str | None = None,
    user_pseudo_id: str | None = None,
    json_wanted: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """Tell whose a keyed hash is, or which one a customer has; each asking is written into the audit log.

    Args:
        shop: The shop's folder.
        keys: Keyed hashes, 32 hex digits each, as tables have them under user_key and device_key.
        user_id: A logged-in customer's id, as the shop writes it: its keyed hash is told.
        user_pseudo_id: A cookie's id, likewise.
        json_wanted: Print one JSON object and nothing else.
    """
    if not keys and user_id is None and user_pseudo_id is None:
        raise UsageError(
            "there is nobody to identify",
            where="endcap identify",
            fix="name keyed hashes, or --user-id ID, or --user-pseudo-id ID",
            code=Code.USAGE,
        )
    opened = find_shop(shop)
    own = {}
    if user_id is not None or user_pseudo_id is not None:
        hashed = user_key(user_id=user_id, user_pseudo_id=user_pseudo_id, key=opened.user_key())
        own = {str(hashed): f"user:{user_id}" if user_id else f"device:{user_pseudo_id}"}
    wanted = [*keys, *own]
    if wrong := [key for key in keys if len(key) != 32 or set(key) - set("0123456789abcdef")]:
        raise UsageError(
            f"{len(wrong)} of {len(keys)} are no keyed hashes",
            where="endcap identify",
            fix="give 32 hex digits, as in user_key and device_key; raw ids go behind --user-id or --user-pseudo-id",
            code=Code.USAGE,
        )
    with open_ledger(opened) as ledger:
        for key in wanted:
            resource = opened.resource(f"user/{key}")
            require(local_actor(), Action.PERSONAL_READ, resource, audit=ledger, at_us=system_clock())
    raw_ids = open_raw_ids(opened)
    try:
        found = own | raw_ids.find(keys)
    finally:
        raw_ids.close()
    told = {key: found.get(key) for key in wanted}
    rows = [[key, name or "not known"] for key, name in told.items()]
    print(json.dumps(told) if json_wanted else table(["key", "whose"], rows))
