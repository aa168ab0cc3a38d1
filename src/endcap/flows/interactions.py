"""A file of interactions (who, which item, when) as sequences: what `compare` measures models on, without a shop.

Shapes: R rows, S sequences, N items.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from endcap.core.errors import Code, DataError, SourceError, near
from endcap.core.sequences import EVENT_KINDS, Catalogue, Sequences
from endcap.models.slices import Segment

__all__ = ["Interactions", "read_interactions", "read_rows"]

_EPOCH_UNITS = ((100_000_000_000_000, 1), (100_000_000_000, 1_000), (100_000_000, 1_000_000))
"""Least integer that is taken for an epoch in µs, ms or s, and how many µs its unit has."""


@dataclass(frozen=True)
class Interactions:
    """What a file holds.

    Args:
        sequences: S sessions where the file names them, else one sequence a user; elements by (instant, item).
        catalogue: The N items of the file.
        num_rows: R, all rows of the file.
        num_left_out: Rows without a user, an item or an instant; they are in no sequence.
        unit_us: Microseconds in one step of `at_us`; 0 for an order that is no time.
        segment: What the sequences' `segments` number; None where no column was named.
    """

    sequences: Sequences
    catalogue: Catalogue
    num_rows: int
    num_left_out: int
    unit_us: int
    segment: Segment | None = None


_KINDS = {
    "view_item": ("view_item", "view", "click", "clicks", "pageview", "detail-page-view", "product_viewed"),
    "add_to_cart": ("add_to_cart", "addtocart", "add-to-cart", "cart", "carts", "product_added"),
    "purchase": ("purchase", "purchase-complete", "transaction", "order", "orders", "buy", "order_completed"),
}
"""What shops and published logs call the kinds of events."""


def read_interactions(  # noqa: PLR0913 - a file has as many columns as it has
    file: Path,
    *,
    user: str,
    item: str,
    time: str,
    session: str | None = None,
    event: str | None = None,
    category: str | None = None,
    segment: str | None = None,
) -> Interactions:
    """Read a Parquet or CSV file.

    Args:
        file: The file; `.csv`, `.csv.gz`, `.tsv` are read as text, all else as Parquet.
        user: Name of the column with users.
        item: Name of the column with items.
        time: Name of the column with instants: timestamps, dates, or integers that grow with time.
        session: Name of the column with sessions; a session is one user's, so equal names of two users differ.
        event: Name of the column that tells views, carts and purchases apart, by GA4's names or other usual ones; a
            row of another name counts, as one of no kind.
        category: Name of the column with the category of the row's item; an item's is the one that most rows tell.
        segment: Name of the column whose values become slices of an evaluation; "" where a row has none.

    Raises:
        SourceError: The file is missing or cannot be read.
        DataError: A column is missing, or the instants are neither times nor integers.
    """
    table = read_rows(file)
    columns = [user, item, time, *(name for name in (session, event, category, segment) if name)]
    for name in columns:
        if name not in table.column_names:
            raise DataError(
                f"the file has no column '{name}'; {near(name, table.column_names)}",
                where=str(file),
                fix="name the columns with --user, --item, --time, --session, --event, --category and --segment",
                code=Code.INTERACTIONS_COLUMN,
            )
    at, unit_us = _instants(table[time], file, time)
    present = pc.and_(pc.is_valid(at), pc.and_(pc.is_valid(table[user]), pc.is_valid(table[item])))
    kept = table.filter(present)
    at_R = np.asarray(at.filter(present), np.int64)
    item_ids, item_R = _numbered(kept[item])
    _, user_R = _numbered(kept[user])
    _, session_R = _texts(kept, session) if session else ((), np.zeros_like(user_R))
    names, segment_R = _texts(kept, segment) if segment else ((), None)
    categories = _most_told(item_R, *_texts(kept, category), len(item_ids)) if category else None
    return Interactions(
        _sequences(user_R, session_R, item_R, at_R, _events(kept[event]) if event else None, segment_R),
        Catalogue(item_ids, categories=categories),
        len(table),
        len(table) - len(kept),
        unit_us,
        Segment(segment, names) if segment else None,
    )


def read_rows(file: Path) -> pa.Table:
    """Read a Parquet or CSV file whole.

    Raises:
        SourceError: The file is missing or cannot be read.
    """
    try:
        if file.name.endswith((".csv", ".csv.gz", ".tsv", ".tsv.gz")):
            delimiter = "\t" if ".tsv" in file.name else ","
            return pyarrow.csv.read_csv(file, parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter))
        return pyarrow.parquet.read_table(file, partitioning=None)
    except FileNotFoundError as error:
        raise SourceError(
            "there is no such file", where=str(file), fix="correct the path", code=Code.SOURCE_MISSING
        ) from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SourceError(
            f"this file cannot be read: {str(error).splitlines()[0]}",
            where=str(file),
            fix="give a whole Parquet file, or text with a header whose name ends in .csv or .tsv",
            code=Code.SOURCE_UNREADABLE,
        ) from error


def _instants(column: pa.ChunkedArray, file: Path, name: str) -> tuple[pa.ChunkedArray, int]:
    """Return instants as int64, and how many microseconds one step of them has."""
    kind = column.type
    try:
        if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_date(kind):
            column, kind = column.cast(pa.timestamp("us")), pa.timestamp("us")
        if pa.types.is_timestamp(kind):
            return column.cast(pa.timestamp("us", tz=kind.tz), safe=False).cast(pa.int64()), 1
        whole = column.cast(pa.int64())  # floats too, where they are whole numbers
    except pa.ArrowException as error:
        raise DataError(
            f"the column '{name}' of type {kind} is no time: {str(error).splitlines()[0]}",
            where=str(file),
            fix="give timestamps, dates, or integers that grow with time",
            code=Code.INTERACTIONS_COLUMN,
        ) from error
    latest = pc.max(whole).as_py() or 0
    return whole, next((unit_us for least, unit_us in _EPOCH_UNITS if latest >= least), 0)


def _numbered(column: pa.ChunkedArray) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the different names, ascending, and for each row the number of its name."""
    encoded: Any = column.cast(pa.string()).combine_chunks().dictionary_encode()
    names = encoded.dictionary
    order = pc.array_sort_indices(names)
    rank = np.empty(len(names), np.int64)
    rank[np.asarray(order)] = np.arange(len(names))
    return tuple(names.take(order).to_pylist()), rank[np.asarray(encoded.indices)]


def _texts(table: pa.Table, column: str) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the different values of a column as text, "" where a row has none, and for each row the number of its."""
    return _numbered(pc.fill_null(table[column].cast(pa.string()), ""))


def _most_told(
    item_R: NDArray[np.int64], names: tuple[str, ...], name_R: NDArray[np.int64], num_items: int
) -> tuple[str, ...]:
    """Return for each item the name that most of its rows tell, "" where none does; the first of those alike."""
    told_R = np.array([name != "" for name in names], bool)[name_R]
    pairs, counts = np.unique(item_R[told_R] * len(names) + name_R[told_R], return_counts=True)
    found = np.full(num_items, -1)
    order = np.lexsort((-pairs, counts))  # the last one that is put stays
    found[pairs[order] // len(names)] = pairs[order] % len(names)
    return tuple(names[number] if number >= 0 else "" for number in found)


def _events(column: pa.ChunkedArray) -> NDArray[np.int8]:
    """Return the number of each row's kind in EVENT_KINDS."""
    known = {name: EVENT_KINDS.index(kind) for kind, names in _KINDS.items() for name in names}
    said = pc.replace_substring(pc.utf8_lower(pc.fill_null(column.cast(pa.string()), "")), " ", "_")
    place = pc.fill_null(pc.index_in(said, value_set=pa.array(known)), -1)
    return np.asarray(np.array([*known.values(), 0])[np.asarray(place)], np.int8)


def _sequences(
    user_R: NDArray[np.int64],
    session_R: NDArray[np.int64],
    item_R: NDArray[np.int64],
    at_R: NDArray[np.int64],
    event_R: NDArray[np.int8] | None,
    segment_R: NDArray[np.int64] | None,
) -> Sequences:
    """Collect rows into sequences, in order of their first instant (ties by user and session)."""
    name_R = user_R * (int(session_R.max(initial=0)) + 1) + session_R
    _, of_R = np.unique(name_R, return_inverse=True)
    first_S = np.full(int(of_R.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first_S, of_R, at_R)
    place_S = np.empty(len(first_S), np.int64)
    place_S[np.argsort(first_S, kind="stable")] = np.arange(len(first_S))
    nothing_R = np.zeros_like(item_R)
    last = [nothing_R if each is None else each for each in (segment_R, event_R)]
    order = np.lexsort((*last, item_R, at_R, place_S[of_R]))
    lengths = np.bincount(place_S[of_R], minlength=len(first_S))
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Sequences(
        starts=starts,
        items=item_R[order].astype(np.int32),
        at_us=at_R[order],
        users=user_R[order][starts[:-1]],
        events=None if event_R is None else event_R[order],
        segments=None if segment_R is None else segment_R[order].astype(np.int32),
    )
