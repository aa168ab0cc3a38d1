"""From tables to the arrays that models are fitted on: the catalogue, sequences with their negatives, histories.

Shapes: S sequences, E elements, N items, K negatives, G draws of negatives, U users.
"""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from endcap.core.clock import day_start_us, next_day
from endcap.core.history import NO_HISTORY, History
from endcap.core.sequences import EVENT_KINDS, Catalogue, Sequences
from endcap.core.tables import CATALOGUE_NEGATIVES, EXAMPLES, ITEMS, POOL_NEGATIVES, SEQUENCES
from endcap.flows.flow import Flow

__all__ = ["ModelData", "catalogue_of", "read_histories", "read_items", "read_model_data"]


@dataclass(frozen=True)
class ModelData:
    """All that models are fitted and evaluated on.

    Args:
        catalogue: The N items in force at the end of the last day.
        sequences: S session sequences in order of their start, with negatives.
    """

    catalogue: Catalogue
    sequences: Sequences


def read_items(flow: Flow) -> pa.Table:
    """Read the items in force at the end of the flow's last day, ordered by id: an item's number is its row."""
    items = flow.read(ITEMS)
    end_us = day_start_us(next_day(flow.through))
    current = items.filter(
        (items.valid_from_us < end_us) & (items.valid_to_us.isnull() | (items.valid_to_us >= end_us))
    )
    return flow.engine.to_arrow(current.order_by("item_id"))


def catalogue_of(items: pa.Table) -> Catalogue:
    """Return what models may know of items.

    Args:
        items: As `read_items` returns them.
    """
    return Catalogue(
        item_ids=tuple(items["item_id"].to_pylist()),
        categories=_texts(items["category"]),
        brands=_texts(items["brand"]),
        titles=_texts(items["title"]),
        prices=tuple(pc.fill_null(items["price_minor"], -1).to_pylist()),
    )


def read_model_data(flow: Flow) -> ModelData:
    """Read everything up to the flow's last day."""
    items = read_items(flow)
    sessions = _read_sessions(flow)
    sequences = _sequences(sessions, items["item_id"])
    return ModelData(catalogue_of(items), _with_negatives(sequences, sessions, _read_examples(flow), items["item_id"]))


def read_histories(flow: Flow, item_ids: pa.ChunkedArray) -> tuple[list[str], NDArray[np.int64], History]:
    """Read what each user did last, as of the end of the flow's last day.

    Returns:
        U user keys ascending; U+1 offsets; the elements, oldest first, at most `serving.history_length` a user.
    """
    sessions = _read_sessions(flow)
    sequences = _sequences(sessions, item_ids)
    keys = np.array(sessions["user_key"].to_pylist(), dtype=object)
    if len(keys) == 0:
        return [], np.zeros(1, np.int64), NO_HISTORY
    users, user_S = np.unique(keys.astype(str), return_inverse=True)
    user_E = user_S[sequences.sequence_of()]
    order = np.lexsort((np.arange(len(user_E)), user_E))
    user_E = user_E[order]
    from_end = np.cumsum(np.bincount(user_E, minlength=len(users)))[user_E] - 1 - np.arange(len(user_E))
    is_kept = from_end < flow.shop.config.serving.history_length
    kept, lengths = order[is_kept], np.bincount(user_E[is_kept], minlength=len(users))
    assert sequences.events is not None, "sequences tell the kinds of their events"
    elements = History(sequences.items[kept], sequences.events[kept], sequences.at_us[kept])
    return users.tolist(), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), elements


def _read_sessions(flow: Flow) -> pa.Table:
    sequences = flow.read(SEQUENCES, flow.days(SEQUENCES))
    wanted = sequences.filter(sequences.scope == "session").order_by(["started_us", "user_key", "session_id"])
    return flow.engine.to_arrow(wanted).combine_chunks()


def _read_examples(flow: Flow) -> pa.Table:
    examples = flow.read(EXAMPLES, flow.days(EXAMPLES))
    wanted = examples.select("session_id", "position", "negative_item_ids", "negative_p", "negative_kinds")
    return flow.engine.to_arrow(wanted.order_by(["session_id", "position"])).combine_chunks()


def _texts(column: pa.ChunkedArray) -> tuple[str, ...] | None:
    """Return a column's texts, or None when there is not one."""
    return None if column.null_count == len(column) else tuple(pc.fill_null(column, "").to_pylist())


def _numbers(names: pa.Array | pa.ChunkedArray, item_ids: pa.ChunkedArray) -> NDArray[np.int32]:
    """Return item numbers, -1 for an item that is not in the catalogue."""
    found = pc.index_in(names, value_set=item_ids.combine_chunks())
    return np.asarray(pc.fill_null(found, -1).combine_chunks() if isinstance(found, pa.ChunkedArray) else
                      pc.fill_null(found, -1), dtype=np.int32)  # fmt: skip


def _flat(column: pa.ChunkedArray) -> tuple[pa.Array, NDArray[np.int64]]:
    """Return a list column's elements and their S+1 offsets."""
    lists = column.combine_chunks()
    lengths = np.asarray(pc.list_value_length(lists).fill_null(0), np.int64)
    return pc.list_flatten(lists), np.concatenate([[0], np.cumsum(lengths)])


def _sequences(sessions: pa.Table, item_ids: pa.ChunkedArray) -> Sequences:
    names, starts = _flat(sessions["item_ids"])
    at_us, _ = _flat(sessions["at_us_list"])
    keys = np.array(sessions["user_key"].to_pylist(), dtype=object)
    # Users are numbered in order of their first session, so that the numbers do not depend on the shop's key.
    order: dict[str, int] = {}
    users = np.array([order.setdefault(key, len(order)) for key in keys], dtype=np.int64)
    items = _numbers(names, item_ids)
    assert (items >= 0).all(), "a sequence names an item that is not in the catalogue"
    events = pc.fill_null(pc.index_in(_flat(sessions["event_names"])[0], value_set=pa.array(EVENT_KINDS)), 0)
    return Sequences(
        starts=starts, items=items, at_us=np.asarray(at_us, np.int64), users=users, events=np.asarray(events, np.int8)
    )


def _with_negatives(
    sequences: Sequences, sessions: pa.Table, examples: pa.Table, item_ids: pa.ChunkedArray
) -> Sequences:
    """Put the sampled negatives of the examples beside the elements that they were sampled against."""
    names, offsets = _flat(examples["negative_item_ids"])
    if len(names) == 0 or len(sequences.items) == 0:
        return sequences
    chances, kinds = (_flat(examples[name])[0] for name in ("negative_p", "negative_kinds"))
    drawn = _Drawn(
        elements=np.repeat(_element_of(sequences, sessions, examples), np.diff(offsets)),
        items=_numbers(names, item_ids),
        p=np.asarray(chances, np.float32),
        kinds=np.asarray(pc.index_in(kinds, value_set=pa.array(_KINDS)), np.int64),
    )
    num_elements = len(sequences.items)
    from_all, from_pools = (drawn.of(kinds) for kinds in (CATALOGUE_NEGATIVES, POOL_NEGATIVES))
    if len(from_all.items):
        negatives, negative_p = from_all.beside(num_elements, from_all.p)
        sequences = replace(sequences, negatives=negatives, negative_p=negative_p)
    if len(from_pools.items):
        pool_negatives, pool_weights = from_pools.beside(num_elements, from_pools.weights())
        sequences = replace(sequences, pool_negatives=pool_negatives, pool_weights=pool_weights)
    return sequences


_KINDS = (*CATALOGUE_NEGATIVES, *POOL_NEGATIVES)


@dataclass(frozen=True)
class _Drawn:
    """G draws, those of an element one after the other.

    Args:
        elements: The elements that they are drawn against; -1 for one that is not there.
        items: Their items.
        p: Their probabilities.
        kinds: Their places in _KINDS.
    """

    elements: NDArray[np.int64]
    items: NDArray[np.int32]
    p: NDArray[np.float32]
    kinds: NDArray[np.int64]

    def of(self, kinds: tuple[str, ...]) -> "_Drawn":
        """Return the draws of some kinds against elements that are there."""
        is_one = (self.elements >= 0) & np.isin(self.kinds, [_KINDS.index(kind) for kind in kinds])
        return _Drawn(self.elements[is_one], self.items[is_one], self.p[is_one], self.kinds[is_one])

    def weights(self) -> NDArray[np.float32]:
        """Return 1 / (draws from the same pool x probability)."""
        _, pool, sizes = np.unique(self.elements * len(_KINDS) + self.kinds, return_inverse=True, return_counts=True)
        return np.asarray(1.0 / (sizes[pool] * self.p), np.float32)

    def beside(self, num_elements: int, values: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Put items and values beside the elements, in two arrays of elements x most draws; -1 and 1 where none is."""
        opens = np.concatenate([[True], self.elements[1:] != self.elements[:-1]])
        place = np.arange(len(opens)) - np.flatnonzero(opens)[np.cumsum(opens) - 1]
        shape = (num_elements, int(place.max()) + 1)
        items, beside = np.full(shape, -1, np.int32), np.ones(shape, np.float32)
        items[self.elements, place], beside[self.elements, place] = self.items, values
        return items, beside


def _element_of(sequences: Sequences, sessions: pa.Table, examples: pa.Table) -> NDArray[np.int64]:
    """Return for each example the element that is its target, -1 where there is none.

    An example names its target by session and position among the collapsed items; an element opens a position when its
    item differs from the one before it in the same session.
    """
    sequence_E = sequences.sequence_of()
    first_E = np.zeros(len(sequences.items), bool)
    first_E[sequences.starts[:-1][sequences.lengths() > 0]] = True
    opens_E = first_E | np.concatenate([[True], sequences.items[1:] != sequences.items[:-1]])
    opened_E = np.cumsum(opens_E)
    before_S = np.concatenate([[0], opened_E])[sequences.starts[:-1]]
    position_E = opened_E - before_S[sequence_E] - 1
    span = int(position_E.max(initial=0)) + 1
    opening = np.flatnonzero(opens_E)
    known = sequence_E[opening] * span + position_E[opening]  # ascending: elements stand in order
    session = _numbers(examples["session_id"], sessions["session_id"]).astype(np.int64)
    position = np.asarray(examples["position"].combine_chunks(), np.int64)
    wanted = np.where((session >= 0) & (position < span), session * span + position, -1)
    at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[at] == wanted, opening[at], -1)
