"""Raw user ids and cookies become keyed hashes; raw ids leave this file for their own encrypted store alone.

Each distinct id is hashed once, in Python, where the key is: the key never enters an engine's plan or log.
"""

import ibis
import pyarrow as pa

from endcap.core.ids import keyed_hash
from endcap.engines.port import Engine

__all__ = ["pseudonymise"]


def pseudonymise(engine: Engine, events: ibis.Table, key: bytes) -> tuple[ibis.Table, dict[str, str]]:
    """Replace raw ids by keys.

    Args:
        engine: Where the distinct ids are collected.
        events: Judged events, materialised; those of a keyed source have `user_key` and `device_key` already.
        key: The shop's key, 32 bytes.

    Returns:
        The events without `raw_user_id` and `raw_device_id`; `user_key` is the user's where one is logged in, else the
        device's, in name spaces of their own (as core.ids.user_key); both are missing where the source had no id. And
        keyed hash -> `user:` or `device:` and the raw id, for `stores.raw_ids`.
    """
    named = events.mutate(user_name="user:" + events.raw_user_id, device_name="device:" + events.raw_device_id)
    hashes = _hashes_of(engine, named, key)
    keys = engine.read_arrow(
        pa.table({"name": pa.array(hashes.values(), pa.string()), "hash": pa.array(hashes.keys(), pa.string())})
    )
    users, devices = (
        keys.rename(user_name="name", user_hash="hash"),
        keys.rename(device_name="name", device_hash="hash"),
    )
    joined = named.left_join(users, "user_name").drop("user_name_right").left_join(devices, "device_name")
    keyed_already = joined.user_key.re_search("^[0-9a-f]{32}$")
    device_already = joined.device_key.re_search("^[0-9a-f]{32}$")
    nothing = ibis.null("string")
    hashed = joined.mutate(
        user_key=ibis.coalesce(
            joined.user_hash, joined.device_hash, ibis.ifelse(keyed_already, joined.user_key, nothing)
        ),
        device_key=ibis.coalesce(joined.device_hash, ibis.ifelse(device_already, joined.device_key, nothing)),
    )
    plain = hashed.drop(
        "raw_user_id", "raw_device_id", "user_name", "device_name", "device_name_right", "user_hash", "device_hash"
    )
    return plain, hashes


def _hashes_of(engine: Engine, named: ibis.Table, key: bytes) -> dict[str, str]:
    """Return keyed hash -> name of each distinct name, ascending by name."""
    users, devices = named.select(name="user_name"), named.select(name="device_name")
    distinct = users.union(devices, distinct=True).filter(lambda table: table.name.notnull()).order_by("name")
    return {keyed_hash(name, key): name for name in engine.to_arrow(distinct).column("name").to_pylist()}
