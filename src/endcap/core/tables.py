"""The contracts of all tables: what passes from room to room.

Every room may read any of these tables and writes only its own. A column of the same name means the same everywhere.
"""

from endcap.core.event_tables import (
    BOTS,
    CANONICAL_EVENT_NAMES,
    CATALOGUE,
    EVENTS,
    IDENTITIES,
    ITEM_MENTIONS,
    ITEMS,
    LOGINS,
    QUALITY,
    QUARANTINE,
    SLATES,
)
from endcap.core.learning_tables import (
    CATALOGUE_NEGATIVES,
    ELEMENTS,
    EXAMPLES,
    EXPOSURES,
    ITEM_DAYS,
    ITEM_FEATURES,
    POOL_NEGATIVES,
    SEQUENCES,
    SESSIONS,
    USER_DAYS,
    USER_FEATURES,
    WINDOWS_DAYS,
)

__all__ = [
    "BOTS",
    "CANONICAL_EVENT_NAMES",
    "CATALOGUE",
    "CATALOGUE_NEGATIVES",
    "ELEMENTS",
    "EVENTS",
    "EXAMPLES",
    "EXPOSURES",
    "IDENTITIES",
    "ITEMS",
    "ITEM_DAYS",
    "ITEM_FEATURES",
    "ITEM_MENTIONS",
    "LOGINS",
    "POOL_NEGATIVES",
    "QUALITY",
    "QUARANTINE",
    "SEQUENCES",
    "SESSIONS",
    "SLATES",
    "TABLES",
    "USER_DAYS",
    "USER_FEATURES",
    "WINDOWS_DAYS",
]

TABLES = {
    table.name: table
    for table in (
        EVENTS,
        CATALOGUE,
        ITEM_MENTIONS,
        ITEMS,
        LOGINS,
        BOTS,
        IDENTITIES,
        QUARANTINE,
        SESSIONS,
        EXPOSURES,
        ITEM_DAYS,
        USER_DAYS,
        ELEMENTS,
        USER_FEATURES,
        ITEM_FEATURES,
        SEQUENCES,
        EXAMPLES,
        SLATES,
        QUALITY,
    )
}
