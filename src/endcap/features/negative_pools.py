"""Pools of negatives: for each example, items that could have been chosen in its place.

*unclicked*: what lists of the same session had shown strictly before the target's instant, and what the session does
not view, click, cart or buy, before or after. That an item is taken up later is known only when the session is over;
it is asked all the same, because a negative is a label, as `carted` and `purchased` are, and an item that the shopper
takes a minute later was not turned down. What may be drawn, in turn, is never later than the target.

*hard*: the target's neighbours in a model, among the items known before the day; the target itself is none. Other items
of the session may be among them: ranks leave out the nearest, which are the likeliest to be wanted too.

Shapes: E examples, P items over all pools, T different targets.
"""

from collections.abc import Callable
from dataclasses import dataclass

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from endcap.core.clock import next_day
from endcap.engines.port import Engine

__all__ = ["Neighbours", "Pools", "hard_pools", "needed_days", "shown_only", "unclicked_pools"]

Int64 = NDArray[np.int64]

Neighbours = Callable[[pa.Array], pa.ListArray]
"""From item ids to lists of the ids of their neighbours, nearest first; an empty list for an item without a vector."""


@dataclass(frozen=True)
class Pools:
    """A pool for each example: a slice of one list of items.

    Args:
        item_ids: P ids; none stands twice in a pool.
        starts: E places where the pools begin.
        sizes: E numbers of items in them; 0 for an empty pool.
    """

    item_ids: pa.Array
    starts: Int64
    sizes: Int64


def needed_days(day: str) -> tuple[str, str]:
    """Return the first and last day of exposures that a day's unclicked items depend on: a session may pass midnight.

    >>> needed_days("2016-09-15")
    ('2016-09-15', '2016-09-16')
    """
    return day, next_day(day)


def shown_only(engine: Engine, exposures: ibis.Table, sessions: ibis.Table) -> pa.Table:
    """List what sessions were shown and never took up.

    Args:
        engine: Computes it.
        exposures: EXPOSURES of every day that `needed_days` names; more does no harm.
        sessions: SEQUENCES of scope session.

    Returns:
        session_id, item_id, shown_us (the first time it was shown in that session), in no order.
    """
    elements = sessions.select("session_id", item_id=sessions.item_ids.unnest())
    shown = exposures.semi_join(sessions, "session_id")
    firsts = shown.group_by("session_id", "item_id").aggregate(
        shown_us=shown.at_us.min(), is_taken=(shown.clicked | shown.carted | shown.purchased).max()
    )
    left = firsts.filter(~firsts.is_taken).anti_join(elements, ["session_id", "item_id"])
    return engine.to_arrow(left.select("session_id", "item_id", "shown_us"))


def unclicked_pools(shown: pa.Table, session_ids: pa.Array, session_E: Int64, at_us_E: Int64) -> Pools:
    """Find what had been shown before each target.

    Args:
        shown: What `shown_only` made.
        session_ids: Ids of some of the day's sessions; what others were shown is passed over.
        session_E: Numbers of the examples' sessions among them.
        at_us_E: Instants of the targets.

    Returns:
        Pools in order of (first shown, item id): an item shown later changes no earlier draw.
    """
    told = shown.append_column("session", pc.index_in(shown["session_id"], value_set=session_ids))
    told = told.filter(pc.is_valid(told["session"]))
    told = told.sort_by([("session", "ascending"), ("shown_us", "ascending"), ("item_id", "ascending")])
    session_P, shown_P = (np.asarray(told[name], np.int64) for name in ("session", "shown_us"))
    if len(session_P) == 0 or len(session_E) == 0:
        return Pools(pa.array([], pa.string()), np.zeros(len(session_E), np.int64), np.zeros(len(session_E), np.int64))
    # One ascending number tells session and instant: a search finds the first item that is not earlier than a target.
    first_us = min(int(shown_P.min()), int(at_us_E.min()))
    span = max(int(shown_P.max()), int(at_us_E.max())) - first_us + 1
    known_P = session_P * span + (shown_P - first_us)
    starts = np.searchsorted(session_P, session_E, side="left")
    ends = np.searchsorted(known_P, session_E * span + (at_us_E - first_us), side="left")
    return Pools(told["item_id"].combine_chunks(), starts.astype(np.int64), (ends - starts).astype(np.int64))


def hard_pools(neighbours: Neighbours, targets: pa.Array, known: pa.Array) -> Pools:
    """Find the neighbours of each target.

    Args:
        neighbours: Of any item.
        targets: E item ids.
        known: Ids of the items known before the day; others are not drawn.
    """
    encoded = targets.dictionary_encode()
    lists = neighbours(encoded.dictionary)
    near = pc.list_flatten(lists)
    is_known = np.asarray(pc.is_in(near, value_set=known).cast(pa.int8()), bool)
    ends_T = np.cumsum(np.asarray(pc.list_value_length(lists), np.int64))
    kept_T = np.concatenate([[0], np.concatenate([[0], np.cumsum(is_known)])[ends_T]]).astype(np.int64)
    target_E = np.asarray(encoded.indices, np.int64)
    return Pools(near.filter(pa.array(is_known)), kept_T[:-1][target_E], np.diff(kept_T)[target_E])
