"""The shop's key, checked against the one under which its users have been hashed from the first day on."""

from endcap.core.errors import Code, ConfigError
from endcap.core.ids import keyed_hash
from endcap.flows.ledger import Ledger
from endcap.flows.shop import Shop

__all__ = ["checked_user_key", "settle_user_key"]

_FACT = "user_key"


def checked_user_key(shop: Shop, ledger: Ledger) -> bytes:
    """Return the shop's key, 32 bytes.

    The ledger keeps a keyed hash of a fixed word: it tells another key and does not tell the key.

    Raises:
        ConfigError: There is none, it is no key, others may read its file, or it is not the shop's.
    """
    key = shop.user_key()
    if ledger.settled(_FACT) not in (None, _told_by(key)):
        raise ConfigError(
            "this is another key than the one under which the shop's users are hashed: all visitors would be new ones",
            where=str(shop.root / "keys" / "user.key"),
            fix="put the shop's own key back from your copy, there or in the environment variable ENDCAP_USER_KEY",
            code=Code.CONFIG_INVALID,
        )
    return key


def settle_user_key(key: bytes, ledger: Ledger) -> None:
    """Have a key be the shop's for good: rows are hashed under it."""
    ledger.settle(_FACT, _told_by(key))


def _told_by(key: bytes) -> str:
    return keyed_hash("the key of this shop", key)
