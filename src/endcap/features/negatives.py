"""Negatives: items drawn against each example from what was known before its day.

Shapes: E examples, K negatives, N items known.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from endcap.core.sampling import draw, integer_weights, mix
from endcap.engines.port import Engine
from endcap.features.config import FeaturesConfig
from endcap.features.daily import as_of_days

__all__ = ["KnownItems", "draw_negatives", "known_items"]


@dataclass(frozen=True)
class KnownItems:
    """The items an event named in the 30 days before a day.

    Args:
        item_ids: N ids, ascending; none on a shop's first day.
        counts: N counts of item rows viewed, carted and bought in these days; 0 for an item that was only shown.
    """

    item_ids: pa.Array
    counts: NDArray[np.int64]


def known_items(engine: Engine, item_days: ibis.Table, *, days: Sequence[str]) -> dict[str, KnownItems]:
    """Count the items as of each day.

    Args:
        engine: Computes the counts.
        item_days: What `daily.item_days` counted on the HISTORY_DAYS before each day; other days do no harm.
        days: The UTC days.
    """
    seen = as_of_days(item_days, days)
    touched = (seen.num_views + seen.num_carts + seen.num_purchases).sum().cast("int64")
    counted = seen.group_by("date_partition", "item_id").aggregate(num_touches=touched)
    rows = engine.to_arrow(counted.order_by(["date_partition", "item_id"]))
    known = {}
    for day in days:
        of_day = rows.filter(pc.equal(rows["date_partition"], day))
        known[day] = KnownItems(of_day["item_id"].combine_chunks(), np.asarray(of_day["num_touches"], np.int64))
    return known


def draw_negatives(
    known: KnownItems, sessions: NDArray[np.uint64], positions: NDArray[np.int64], config: FeaturesConfig, *, seed: int
) -> tuple[pa.Array, pa.Array]:
    """Draw items against each example, with replacement, by count^power.

    An example's draws depend on its session, its position, the seed and what was known before the day, not on the other
    examples. The target itself may be drawn (an accidental hit): models mask it, and its probability stays right.

    Args:
        known: The N items.
        sessions: E numbers that name the examples' sessions.
        positions: E positions.
        config: How many and by which power.
        seed: Of the run.

    Returns:
        E lists of item ids and E lists of the probabilities of these draws; empty lists where no item is known.
    """
    num_examples, draws = len(sessions), config.num_negatives
    if len(known.counts) == 0 or num_examples == 0:
        draws = 0
    offsets = pa.array(np.arange(num_examples + 1, dtype=np.int32) * draws, pa.int32())
    if draws == 0:
        empty = [pa.ListArray.from_arrays(offsets, pa.array([], kind)) for kind in (pa.string(), pa.float64())]
        return empty[0], empty[1]
    names = mix(sessions) + positions.astype(np.uint64)
    weights = integer_weights(known.counts, power=config.negative_power)
    items_EK, p_EK = draw(names, weights, draws, seed=seed)
    return (
        pa.ListArray.from_arrays(offsets, known.item_ids.take(pa.array(items_EK.ravel()))),
        pa.ListArray.from_arrays(offsets, pa.array(p_EK.ravel(), pa.float64())),
    )
