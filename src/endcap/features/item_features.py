"""Item features: what was known of an item at the start of a day."""

from collections.abc import Sequence

import ibis

from endcap.core.tables import ITEM_FEATURES
from endcap.engines.contracts import under_contract
from endcap.features.daily import as_of_days, windowed

__all__ = ["item_features"]

_COUNTS = ("num_exposures", "num_clicks", "num_views", "num_carts", "num_purchases")


def item_features(item_days: ibis.Table, first_seen: ibis.Table, *, days: Sequence[str]) -> ibis.Table:
    """Sum up each item's last days as of each wanted day.

    Args:
        item_days: What `daily.item_days` counted on the HISTORY_DAYS before each wanted day; other days do no harm.
        first_seen: What `daily.first_seen` found over all days.
        days: UTC days whose features are wanted.

    Returns:
        ITEM_FEATURES in no order: a row for each item that an event named in the HISTORY_DAYS before the day. A rate
        without a denominator is missing. The price is the median of the last day that told one.
    """
    seen = as_of_days(item_days, days)
    sums = seen.group_by("date_partition", "item_id", "as_of_number").aggregate(
        **windowed(seen, _COUNTS),
        price_minor=seen.price_minor.argmin(seen.age_days, where=seen.price_minor.notnull()),
        days_since_seen=seen.age_days.min(),
    )
    rows = sums.left_join(first_seen, "item_id")
    return under_contract(
        rows.mutate(
            click_rate_30d=rows.num_clicks_30d / rows.num_exposures_30d.nullif(0),
            cart_rate_30d=rows.num_carts_30d / rows.num_views_30d.nullif(0),
            purchase_rate_30d=rows.num_purchases_30d / rows.num_views_30d.nullif(0),
            days_since_first_seen=rows.as_of_number - rows.first_day_number,
        ),
        ITEM_FEATURES,
    )
