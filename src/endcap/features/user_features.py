"""User features: what was known of a user at the start of a day."""

from collections.abc import Sequence

import ibis

from endcap.core.tables import USER_FEATURES
from endcap.engines.contracts import under_contract
from endcap.features.daily import as_of_days, windowed

__all__ = ["user_features"]

_COUNTS = ("num_sessions", "num_views", "num_carts", "num_purchases")


def user_features(user_days: ibis.Table, *, days: Sequence[str]) -> ibis.Table:
    """Sum up each user's last days as of each wanted day.

    Args:
        user_days: What `daily.user_days` counted on the HISTORY_DAYS before each wanted day; other days do no harm.
        days: UTC days whose features are wanted.

    Returns:
        USER_FEATURES in no order: a row for each user with an event in the HISTORY_DAYS before the day. A rate or mean
        without a denominator is missing.
    """
    seen = as_of_days(user_days, days)
    rows = seen.group_by("date_partition", "user_key").aggregate(
        **windowed(seen, _COUNTS),
        viewed_price_minor=seen.viewed_price_minor.sum(),
        num_priced=seen.num_priced.sum(),
        days_since_seen=seen.age_days.min(),
    )
    return under_contract(
        rows.mutate(
            cart_rate_30d=rows.num_carts_30d / rows.num_views_30d.nullif(0),
            purchase_rate_30d=rows.num_purchases_30d / rows.num_views_30d.nullif(0),
            mean_price_minor_30d=(rows.viewed_price_minor / rows.num_priced.nullif(0)).round().cast("int64"),
        ),
        USER_FEATURES,
    )
