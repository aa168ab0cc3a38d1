"""Columns that mean the same in every table that has them."""

from endcap.core.contract import Column, Kind

__all__ = ["DAY", "ITEM", "MONEY", "SESSION", "USER"]

DAY = Column("date_partition", Kind.STRING, "UTC day, YYYY-MM-DD")
USER = Column(
    "user_key", Kind.STRING, "keyed hash of the user, or of the device where nobody is logged in", names_user=True
)
SESSION = Column("session_id", Kind.STRING, "id of the session, 32 hex digits")
ITEM = Column("item_id", Kind.STRING, "id of the product")
MONEY = {"nullable": True, "low": 0, "high": 1e13}
