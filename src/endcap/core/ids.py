"""Names that are computed, not drawn: keyed hashes of users, digests, ids of runs.

A `UserKey` is the only form of a user's id outside the events room: HMAC-SHA256 of the raw id under the shop's key,
shortened to 128 bits (32 hex digits), so that ids cannot be found by trying them without the key.
"""

import hashlib
import hmac
from typing import Any, NewType

import msgspec

__all__ = ["DeviceKey", "UserKey", "digest_of", "keyed_hash", "user_key"]

UserKey = NewType("UserKey", str)
"""Keyed hash of a user's id (or of the device's where nobody is logged in): 32 hex digits."""

DeviceKey = NewType("DeviceKey", str)
"""Keyed hash of a device's cookie id: 32 hex digits."""


def keyed_hash(raw: str, key: bytes) -> str:
    """Return the first 128 bits of HMAC-SHA256 as 32 hex digits.

    Args:
        raw: The raw id as the shop writes it.
        key: The shop's key, 32 bytes.

    >>> keyed_hash("user-1", bytes(32))
    '0db11465ff5d649790db1f2b4e1427c4'
    """
    return hmac.new(key, raw.encode(), hashlib.sha256).hexdigest()[:32]


def user_key(*, user_id: str | None, user_pseudo_id: str | None, key: bytes) -> UserKey | None:
    """Return the key of a visitor: of the user where one is logged in, else of the device.

    User ids and cookie ids are hashed in name spaces of their own, so that equal strings do not meet.

    Args:
        user_id: The logged-in user's raw id, or None.
        user_pseudo_id: The cookie's raw id, or None.
        key: The shop's key, 32 bytes.

    Returns:
        The key, or None for a visitor without any id.
    """
    if user_id:
        return UserKey(keyed_hash(f"user:{user_id}", key))
    if user_pseudo_id:
        return UserKey(keyed_hash(f"device:{user_pseudo_id}", key))
    return None


def digest_of(value: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON (keys sorted), 64 hex digits.

    Args:
        value: Anything msgspec can write: numbers, strings, lists, mappings, dataclasses.

    >>> digest_of({"b": 1, "a": 2}) == digest_of({"a": 2, "b": 1})
    True
    """
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()
