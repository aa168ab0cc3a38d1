"""Negatives: items drawn against each example, each with the probability of its draw.

Shapes: E examples, K negatives, N items known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from endcap.core.ids import digest_of
from endcap.core.sampling import draw, integer_weights, mix, uniform_bits
from endcap.core.tables import CATALOGUE_NEGATIVES, POOL_NEGATIVES
from endcap.engines.port import Engine
from endcap.features.config import FeaturesConfig
from endcap.features.daily import as_of_days
from endcap.features.negative_pools import Pools
from endcap.features.negatives_config import NegativeSampler, PopularityNegatives, UniformNegatives

__all__ = ["FALLBACK", "KnownItems", "draw_negatives", "known_items"]

UInt64 = NDArray[np.uint64]


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
    known: KnownItems,
    sessions: NDArray[np.uint64],
    positions: NDArray[np.int64],
    config: FeaturesConfig,
    pools: Mapping[str, Pools],
    *,
    seed: int,
) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Draw items against each example, with replacement, exactly as many as each sampler is asked for.

    A sampler's draws for an example depend on the sampler, the example's session and position, the seed, and what it
    draws from; neither on the other examples nor on other samplers.

    Where an example's pool is empty, its draws are made by popularity with the usual power, and told as such. uniform
    and popularity may draw the target itself (an accidental hit): models mask it, and the probability stays right.

    Args:
        known: The N items, for uniform and popularity.
        sessions: E numbers that name the examples' sessions.
        positions: E positions.
        config: The samplers.
        pools: The pools of each kind that draws from a pool of the example's own.
        seed: Of the run.

    Returns:
        E lists of item ids, of the probabilities of these draws, and of the kinds: the samplers' in the order of the
        settings. Where no item is known, only the draws from pools are there.
    """
    names = mix(sessions) + positions.astype(np.uint64)
    parts = [_drawn(each, names, known, pools, seed=seed) for each in config.negatives]
    if not parts:
        parts = [_Drawn.none(len(names), 0)]
    vocabulary = pa.concat_arrays([known.item_ids, *(part.pool_items for part in parts)])
    shifts = len(known.item_ids) + np.cumsum([0, *(len(part.pool_items) for part in parts)])
    items_EK = np.concatenate(
        [np.where(part.kinds_EK < _FROM_POOL, part.items_EK, part.items_EK + shift)
         for part, shift in zip(parts, shifts[:-1], strict=True)], axis=1
    )  # fmt: skip
    p_EK = np.concatenate([part.p_EK for part in parts], axis=1)
    kinds_EK = np.concatenate([part.kinds_EK for part in parts], axis=1)
    is_drawn_EK = kinds_EK >= 0
    offsets = pa.array(np.concatenate([[0], np.cumsum(is_drawn_EK.sum(axis=1))]), pa.int32())
    flat = (
        vocabulary.take(pa.array(items_EK[is_drawn_EK])),
        pa.array(p_EK[is_drawn_EK], pa.float64()),
        pa.array(_KINDS, pa.string()).take(pa.array(kinds_EK[is_drawn_EK])),
    )
    told = [pa.ListArray.from_arrays(offsets, values) for values in flat]
    return told[0], told[1], told[2]


_KINDS = (*CATALOGUE_NEGATIVES, *POOL_NEGATIVES)
_FROM_POOL = len(CATALOGUE_NEGATIVES)
"""Kinds from this number on are drawn from pools."""

FALLBACK = PopularityNegatives()
"""How draws are made where a pool is empty; not the shop's own popularity sampler, which must be free to change."""


@dataclass(frozen=True)
class _Drawn:
    """The draws of one sampler.

    Args:
        items_EK: Numbers of items: among the known ones, or in `pool_items` where the kind draws from pools.
        p_EK: Probabilities.
        kinds_EK: Places in _KINDS; -1 where nothing could be drawn.
        pool_items: The items of all pools.
    """

    items_EK: NDArray[np.int64]
    p_EK: NDArray[np.float64]
    kinds_EK: NDArray[np.int64]
    pool_items: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))

    @classmethod
    def none(cls, rows: int, draws: int) -> Self:
        """Nothing could be drawn."""
        shape = (rows, draws)
        return cls(np.zeros(shape, np.int64), np.ones(shape, np.float64), np.full(shape, -1))


def _drawn(
    sampler: NegativeSampler, names: UInt64, known: KnownItems, pools: Mapping[str, Pools], *, seed: int
) -> _Drawn:
    """Draw for one sampler; each but popularity under a name of its own, so that no two draw in step."""
    if sampler.kind == "popularity":
        return _from_known(sampler, names, known, seed=seed)
    names = names ^ np.uint64(int(digest_of(["negatives", sampler.kind])[:16], 16))
    if sampler.kind == "uniform":
        return _from_known(sampler, names, known, seed=seed)
    pool = pools[sampler.kind]
    otherwise = _from_known(FALLBACK.model_copy(update={"num": sampler.num}), names, known, seed=seed)
    has_pool_E1 = pool.sizes[:, None] > 0
    size_E1 = np.maximum(pool.sizes, 1).astype(np.uint64)[:, None]
    place_EK = (uniform_bits(names, sampler.num, seed=seed) % size_E1).astype(np.int64) + pool.starts[:, None]
    return _Drawn(
        items_EK=np.where(has_pool_E1, place_EK, otherwise.items_EK),
        p_EK=np.where(has_pool_E1, 1.0 / size_E1, otherwise.p_EK),
        kinds_EK=np.where(has_pool_E1, _KINDS.index(sampler.kind), otherwise.kinds_EK),
        pool_items=pool.item_ids,
    )


def _from_known(
    sampler: UniformNegatives | PopularityNegatives, names: UInt64, known: KnownItems, *, seed: int
) -> _Drawn:
    """Draw from the known items."""
    if len(known.counts) == 0:
        return _Drawn.none(len(names), sampler.num)
    if sampler.kind == "uniform":
        weights = np.ones(len(known.counts), np.int64)
    else:
        weights = integer_weights(known.counts, power=sampler.power)
    items_EK, p_EK = draw(names, weights, sampler.num, seed=seed)
    return _Drawn(items_EK.astype(np.int64), p_EK, np.full(items_EK.shape, _KINDS.index(sampler.kind)))
