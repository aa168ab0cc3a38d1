"""Sequences in Parquet files, a row group a shard: training reads what does not fit into memory.

The columns are those of the table `sequences`: `scope`, `item_ids`, `event_names`, `at_us_list`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from endcap.core.sequences import EVENT_KINDS, Sequences
from endcap.models.training.source import one_after_another

__all__ = ["Files"]

_ITEMS, _COLUMNS = "item_ids", ("scope", "item_ids", "event_names", "at_us_list")


@dataclass(frozen=True)
class Files:
    """The sessions in Parquet files, in order of file and row group; see `training.source.Source`.

    Users are not told apart, and negatives that were sampled for the examples are not read: those that a step draws
    stand for them. Items that the catalogue does not have are left out.

    Args:
        places: File and row group of each shard.
        sizes: Elements of each shard, of both scopes, as its footer tells: more than is learned from, as histories of
            users are read and left.
        window: Elements that may be in memory at once.
        item_ids: Ids of the N items, in order of their numbers.
    """

    places: tuple[tuple[str, int], ...]
    sizes: Sequence[int]
    window: int
    item_ids: pa.Array

    @classmethod
    def of(cls, files: Sequence[str], item_ids: Sequence[str], *, window: int) -> Self:
        """Look into the footers of files.

        Args:
            files: Paths of this machine, in order of time.
            item_ids: Ids of the N items, in order of their numbers.
            window: Elements that may be in memory at once.
        """
        places, sizes = [], []
        for file in files:
            with pq.ParquetFile(file) as opened:
                at = next(
                    at for at in range(len(opened.schema)) if opened.schema.column(at).path.split(".")[0] == _ITEMS
                )
                for group in range(opened.num_row_groups):
                    places.append((file, group))
                    sizes.append(opened.metadata.row_group(group).column(at).num_values)
        return cls(tuple(places), sizes, window, pa.array(item_ids, pa.string()))

    def read(self, shards: Sequence[int]) -> Sequences:
        """Read some shards as one."""
        return one_after_another([self._read(*self.places[shard]) for shard in shards])

    def _read(self, file: str, group: int) -> Sequences:
        with pq.ParquetFile(file) as opened:
            table = opened.read_row_group(group, columns=list(_COLUMNS))
        rows = table.filter(pc.equal(table["scope"], "session")).combine_chunks()
        lists = rows[_ITEMS].combine_chunks()
        items = np.asarray(pc.fill_null(pc.index_in(pc.list_flatten(lists), value_set=self.item_ids), -1), np.int32)
        names = pc.list_flatten(rows["event_names"].combine_chunks())
        kinds = np.asarray(pc.fill_null(pc.index_in(names, value_set=pa.array(EVENT_KINDS)), 0), np.int8)
        at_us = np.asarray(pc.list_flatten(rows["at_us_list"].combine_chunks()), np.int64)
        sequence_E = np.repeat(np.arange(len(rows)), np.asarray(pc.list_value_length(lists).fill_null(0)))
        is_known_E = items >= 0
        lengths = np.bincount(sequence_E[is_known_E], minlength=len(rows))
        return Sequences(
            starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            items=items[is_known_E],
            at_us=at_us[is_known_E],
            users=np.zeros(len(rows), np.int64),
            events=kinds[is_known_E],
        )
