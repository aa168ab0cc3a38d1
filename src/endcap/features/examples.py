"""Examples: each step of a session to its next different item, what came before it, and negatives.

A session's elements are collapsed: consecutive elements of one item are one visit of that item, told by its first
element. Visit 0 can only be context; visit p >= 1 is the target of the example at position p. A -> B -> A makes two
examples.

Shapes: S sessions, E examples, T elements and V visits over all sessions that are made at a time, K negatives.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from endcap.core.tables import EXAMPLES
from endcap.engines.port import Engine, arrow_schema
from endcap.features.config import FeaturesConfig
from endcap.features.negative_pools import Neighbours, Pools, hard_pools, shown_only, unclicked_pools
from endcap.features.negatives import KnownItems, draw_negatives, known_items

__all__ = ["NegativeSources", "examples_by_day", "make_examples", "together"]

Int64 = NDArray[np.int64]

_ELEMENTS_AT_ONCE = 250_000
"""An example holds up to `max_sequence` items and its negatives: of sessions of 100 elements, so many took 0.5 GB, of
sessions of five 0.2 GB (2026-11-27)."""
_SESSION = ("session_id", "user_key", "item_ids", "event_names", "at_us_list")


@dataclass(frozen=True)
class NegativeSources:
    """What negatives are drawn from.

    Args:
        item_days: What `daily.item_days` counted on the HISTORY_DAYS before each day; other days do no harm.
        exposures: EXPOSURES of each day and the next, for unclicked items; others do no harm.
        neighbours: Neighbours of items, for hard ones; not asked where there is no such sampler.
    """

    item_days: ibis.Table
    exposures: ibis.Table
    neighbours: Neighbours


@dataclass(frozen=True)
class _Visits:
    """The collapsed sessions that are made at a time.

    Args:
        sessions: V rows of the visits' sessions, ascending.
        positions: V places of the visits in their sessions, from 0.
        elements: V first elements of the visits, ascending.
        items: T numbers of the elements' items in `item_ids`.
        item_ids: The different items.
        event_names: T event names.
        at_us: T instants.
        carted: T; whether the element is, or is followed by, an add_to_cart of its item in the session.
        purchased: T; likewise a purchase.
    """

    sessions: Int64
    positions: Int64
    elements: Int64
    items: Int64
    item_ids: pa.Array
    event_names: pa.Array
    at_us: pa.Array
    carted: NDArray[np.bool_]
    purchased: NDArray[np.bool_]


def make_examples(
    engine: Engine,
    sequences: ibis.Table,
    sources: NegativeSources,
    config: FeaturesConfig,
    *,
    days: Sequence[str],
    seed: int,
) -> ibis.Table:
    """Make the examples of the sessions that start on the given days; see `examples_by_day`.

    Returns:
        EXAMPLES in no order.
    """
    return together(examples_by_day(engine, sequences, sources, config, days=days, seed=seed))


def together(tables: Sequence[ibis.Table]) -> ibis.Table:
    """Return all rows of one table or more; by halves, as a chain of a hundred unions is too deep for Ibis."""
    if len(tables) == 1:
        return tables[0]
    middle = len(tables) // 2
    return together(tables[:middle]).union(together(tables[middle:]))


def examples_by_day(
    engine: Engine,
    sequences: ibis.Table,
    sources: NegativeSources,
    config: FeaturesConfig,
    *,
    days: Sequence[str],
    seed: int,
) -> list[ibis.Table]:
    """Make the examples of the sessions that start on the given days.

    Some sessions of a day are made at a time: an example is many times as large as what it is made from, and depends
    neither on other sessions nor on which other days are asked for.

    Args:
        engine: Reads the sequences into memory, a day's lists at a time, and takes the examples back.
        sequences: SEQUENCES of the days, materialised or read: each day reads from it. Scope session counts.
        sources: What negatives are drawn from.
        config: Length of contexts, samplers of negatives.
        days: UTC days whose examples are wanted.
        seed: Of the run.

    Returns:
        EXAMPLES in no order, as materialised tables of some sessions each, for the caller to drop; one without rows
        where there is no day. On a shop's first day no item is known before: only unclicked items are drawn, if any.
    """
    made: list[ibis.Table] = []
    try:
        made.extend(_slice_by_slice(engine, sequences, sources, config, days=days, seed=seed))
    except BaseException:
        for table in made:  # those before the one that failed
            engine.drop(table)
        raise
    return made or [engine.read_arrow(arrow_schema(EXAMPLES).empty_table())]


def _slice_by_slice(
    engine: Engine,
    sequences: ibis.Table,
    sources: NegativeSources,
    config: FeaturesConfig,
    *,
    days: Sequence[str],
    seed: int,
) -> Iterator[ibis.Table]:
    known = known_items(engine, sources.item_days, days=days)
    for day in sorted(known):
        of_day = sequences.filter((sequences.scope == "session") & (sequences.date_partition == day))
        in_order = of_day.order_by(["started_us", "user_key", "session_id"]).select(_SESSION)
        sessions = engine.to_arrow(in_order).combine_chunks()
        shown = shown_only(engine, sources.exposures, of_day) if "unclicked" in config.num_by_kind else None
        material = _Material(day, known[day], shown, sources.neighbours)
        for some in _slices(sessions):
            yield engine.read_arrow(_of_sessions(some, material, config, seed=seed))


@dataclass(frozen=True)
class _Material:
    """What one day's negatives are drawn from.

    Args:
        day: The UTC day.
        known: The items known before it.
        shown: What its sessions were shown and never took up; None where nobody draws from it.
        neighbours: Neighbours of items.
    """

    day: str
    known: KnownItems
    shown: pa.Table | None
    neighbours: Neighbours


def _slices(sessions: pa.Table) -> list[pa.Table]:
    """Cut a day's sessions into runs of about equal elements; one slice at least."""
    if not len(sessions):
        return [sessions]
    lengths_S = np.asarray(pc.list_value_length(sessions["item_ids"]), np.int64)
    slice_S = (np.cumsum(lengths_S) - lengths_S) // _ELEMENTS_AT_ONCE
    starts = np.flatnonzero(np.diff(slice_S, prepend=-1))
    ends = [*starts[1:], len(sessions)]
    return [sessions.slice(first, end - first) for first, end in zip(starts, ends, strict=True)]


def _of_sessions(sessions: pa.Table, material: _Material, config: FeaturesConfig, *, seed: int) -> pa.Table:
    """Make the examples of some of a day's sessions."""
    visits = _visits(sessions)
    targets = np.flatnonzero(visits.positions > 0)
    session_E, position_E = visits.sessions[targets], visits.positions[targets]
    element_E = visits.elements[targets]
    rows = pa.array(session_E)
    elements = pa.array(element_E)
    items = visits.item_ids.take(pa.array(visits.items[element_E]))
    at_us = visits.at_us.take(elements)
    pools: dict[str, Pools] = {}
    if material.shown is not None:
        ids = sessions["session_id"].combine_chunks()
        pools["unclicked"] = unclicked_pools(material.shown, ids, session_E, np.asarray(at_us, np.int64))
    if "hard" in config.num_by_kind:
        pools["hard"] = hard_pools(material.neighbours, items, material.known.item_ids)
    negatives, negative_p, negative_kinds = draw_negatives(
        material.known, _names(sessions)[session_E], position_E, config, pools, seed=seed
    )
    columns = {
        "date_partition": pa.array([material.day] * len(targets), pa.string()),
        "session_id": sessions["session_id"].take(rows),
        "position": pa.array(position_E, pa.int32()),
        "user_key": sessions["user_key"].take(rows),
        "at_us": at_us,
        "context_item_ids": _contexts(visits, targets, config.max_sequence),
        "item_id": items,
        "event_name": visits.event_names.take(elements),
        "carted": pa.array(visits.carted[element_E]),
        "purchased": pa.array(visits.purchased[element_E]),
        "negative_item_ids": negatives,
        "negative_p": negative_p,
        "negative_kinds": negative_kinds,
    }
    return pa.table(columns).cast(arrow_schema(EXAMPLES))


def _visits(sessions: pa.Table) -> _Visits:
    """Collapse consecutive elements of one item."""
    lengths = np.asarray(pc.list_value_length(sessions["item_ids"]), np.int64)
    session_T = np.repeat(np.arange(len(lengths)), lengths)
    items = _flat(sessions["item_ids"]).dictionary_encode()
    item_T = np.asarray(items.indices, np.int64)
    opens_T = np.ones(len(item_T), bool)
    opens_T[1:] = (session_T[1:] != session_T[:-1]) | (item_T[1:] != item_T[:-1])
    element_V = np.flatnonzero(opens_T)
    session_V = session_T[element_V]
    first_V = np.searchsorted(session_V, session_V, side="left")
    names_T = _flat(sessions["event_names"])
    return _Visits(
        sessions=session_V,
        positions=np.arange(len(element_V)) - first_V,
        elements=element_V,
        items=item_T,
        item_ids=items.dictionary,
        event_names=names_T,
        at_us=_flat(sessions["at_us_list"]),
        carted=_is_or_precedes("add_to_cart", names_T, session_T, item_T),
        purchased=_is_or_precedes("purchase", names_T, session_T, item_T),
    )


def _is_or_precedes(event_name: str, names_T: pa.Array, session_T: Int64, item_T: Int64) -> NDArray[np.bool_]:
    """Return which elements are, or come before, such an event of the same item in the same session."""
    is_it_T = np.asarray(pc.equal(names_T, event_name).cast(pa.int8()), bool)
    _, pair_T = np.unique(session_T * (item_T.max(initial=0) + 1) + item_T, return_inverse=True)
    last = np.full(pair_T.max(initial=0) + 1, -1)
    np.maximum.at(last, pair_T[is_it_T], np.flatnonzero(is_it_T))
    return np.asarray(last[pair_T] >= np.arange(len(pair_T)), bool)


def _contexts(visits: _Visits, targets: Int64, longest: int) -> pa.Array:
    """Return the items of the visits before each target, oldest first, the last `longest` of them."""
    lengths = np.minimum(visits.positions[targets], longest)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    visit = np.repeat(targets - lengths, lengths) + within
    items = visits.item_ids.take(pa.array(visits.items[visits.elements[visit]]))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items)


def _flat(lists: pa.ChunkedArray) -> pa.Array:
    """Return the elements of all lists, in order."""
    return pc.list_flatten(lists.combine_chunks())


def _names(sessions: pa.Table) -> NDArray[np.uint64]:
    """Return the number that names each session in draws: the leading 64 bits of its id."""
    return np.array([int(session_id[:16], 16) for session_id in sessions["session_id"].to_pylist()], np.uint64)
