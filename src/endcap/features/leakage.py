"""The leakage firewall of a shop: does anything that its models learn from know what came later?

Features, contexts, labels and negatives are made anew for a sample of users and items, event by event, by none of the
code that makes them; histories and sessions are all looked at. What is counted is exact, so clean tables give no
finding; one check alone is of chance, and its rate of false alarms is `leakage_of_negatives.FALSE_ALARM`.
"""

from collections.abc import Sequence

from endcap.engines.port import Engine
from endcap.features.config import FeaturesConfig
from endcap.features.findings import LEAKS, LeakageReport, in_order
from endcap.features.leakage_of_features import leaks_of_item_features, leaks_of_user_features
from endcap.features.leakage_of_negatives import FALSE_ALARM, leaks_of_negatives
from endcap.features.leakage_of_sequences import leaks_of_sequences
from endcap.features.leakage_of_sessions import leaks_of_examples, leaks_of_exposures, sessions_anew
from endcap.features.leakage_sample import NUM_ITEMS, NUM_USERS, ShopTables, sample

__all__ = ["SHOP_LEAKS", "find_leaks"]

_FIRST_OF_FRAMES = "instant-after-the-example"

SHOP_LEAKS = tuple(LEAKS)[: tuple(LEAKS).index(_FIRST_OF_FRAMES)]
"""Names of the leaks that are looked for in a shop's own tables."""


def find_leaks(
    engine: Engine,
    tables: ShopTables,
    config: FeaturesConfig,
    *,
    click_events: Sequence[str],
    num_users: int = NUM_USERS,
    num_items: int = NUM_ITEMS,
) -> LeakageReport:
    """Look for leaks in the tables of a shop.

    Args:
        engine: Reads the rows and computes the checks of whole tables.
        tables: The shop's tables, all made from the same events.
        config: `[features]`.
        click_events: `[sessions] click_events`.
        num_users: Users looked at, those with the least hashes.
        num_items: Items looked at, likewise.

    Returns:
        Findings, how much was looked at, and what a reader must know.
    """
    users = sample(engine, tables.sessions, "user_key", num_users)
    items = sample(engine, tables.item_features, "item_id", num_items)
    sessions = sessions_anew(engine, tables, users, config)
    looked_at = [
        leaks_of_user_features(engine, tables, users),
        leaks_of_item_features(engine, tables, items),
        leaks_of_sequences(engine, tables),
        leaks_of_examples(engine, tables, sessions, users, config),
        leaks_of_exposures(engine, tables, sessions, users, click_events=click_events),
        leaks_of_negatives(engine, tables, sessions, users, config),
    ]
    for held in (users, items):
        engine.drop(held)
    notes = (
        f"at most {num_users:,} users and {num_items:,} items, those with the least hashes, and all sequences",
        f"all checks are exact but negatives-avoid-the-outcome: at most {FALSE_ALARM:g} of clean shops show it",
    )
    return LeakageReport(
        findings=in_order([finding for found, _ in looked_at for finding in found]),
        checks=SHOP_LEAKS,
        num_rows=sum(num for _, num in looked_at),
        notes=notes,
    )
