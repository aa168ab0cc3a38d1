"""`endcap identify`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from endcap.cli.table import table
from endcap.core.clock import system_clock
from endcap.core.errors import Code, UsageError
from endcap.core.ids import user_key
from endcap.flows.key import checked_user_key
from endcap.flows.shop import Shop, find_shop
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
    if not (keys or user_id or user_pseudo_id):
        raise UsageError(
            "there is nobody to identify",
            where="endcap identify",
            fix="name keyed hashes, or --user-id ID, or --user-pseudo-id ID",
            code=Code.USAGE,
        )
    if wrong := [key for key in keys if len(key) != 32 or set(key) - set("0123456789abcdef")]:
        raise UsageError(
            f"{len(wrong)} of {len(keys)} are no keyed hashes",
            where="endcap identify",
            fix="give 32 hex digits, as in user_key and device_key; raw ids go behind --user-id or --user-pseudo-id",
            code=Code.USAGE,
        )
    opened = find_shop(shop)
    with open_ledger(opened) as ledger:
        require(
            local_actor(), Action.PERSONAL_READ, opened.resource("people"), audit=ledger.audit, at_us=system_clock()
        )
        own = _hashed(checked_user_key(opened, ledger), user_id, user_pseudo_id)
        wanted = [*keys, *own]
        for key in wanted:
            resource = opened.resource(f"user/{key}")
            require(local_actor(), Action.PERSONAL_READ, resource, audit=ledger.audit, at_us=system_clock())
    found = own | (_found(opened, keys) if keys else {})
    told = {key: found.get(key) for key in wanted}
    rows = [[key, name or "not known"] for key, name in told.items()]
    print(json.dumps(told) if json_wanted else table(["key", "whose"], rows))


def _hashed(key: bytes, user_id: str | None, user_pseudo_id: str | None) -> dict[str, str]:
    """Return the keyed hashes of a customer and of a cookie."""
    own = {}
    if user_id:
        own[str(user_key(user_id=user_id, user_pseudo_id=None, key=key))] = f"user:{user_id}"
    if user_pseudo_id:
        own[str(user_key(user_id=None, user_pseudo_id=user_pseudo_id, key=key))] = f"device:{user_pseudo_id}"
    return own


def _found(shop: Shop, keys: Sequence[str]) -> dict[str, str]:
    """Ask the store of raw ids, if the shop keeps one."""
    if not shop.raw_ids.exists():
        return {}
    raw_ids = open_raw_ids(shop)
    try:
        return raw_ids.find(keys)
    finally:
        raw_ids.close()
