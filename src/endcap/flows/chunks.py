"""Pending days cut into chunks, each an attempt of its own: memory is bounded, and progress is kept.

How many rows a partition has is estimated from what is known before it is made: of files, the rows that were counted
when they were looked at; of tables, those of the same day, or of a day on average where a step looks back only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from endcap.flows.flow import Flow, Step
from endcap.flows.ledger import Part

__all__ = ["Sizes", "cut", "halves", "is_day"]

_CHUNKS_A_WORKER = 2
"""Two: a worker that has done its part early takes of what is left."""


@dataclass
class Sizes:
    """Estimates how many rows partitions are made from.

    Args:
        flow: The run.
    """

    flow: Flow
    _parts: dict[str, dict[str, Part]] = field(default_factory=dict)
    _of_files: dict[str, int] | None = None

    def rows(self, step: Step, partition: str, inputs: Mapping[str, str]) -> int:
        """Return about how many rows of one day go into a partition; 0 where nothing tells."""
        return self._of_a_day(step, partition, inputs, {})

    def held(self, step: Step, partition: str, inputs: Mapping[str, str]) -> int:
        """Return likewise how many rows of the size of an event's a partition comes to."""
        return self._of_a_day(step, partition, inputs, step.rows_each)

    def _of_a_day(self, step: Step, partition: str, inputs: Mapping[str, str], each: Mapping[str, int]) -> int:
        if step.name == "ingest":
            return self._rows_of_files().get(partition, 0)
        names = [tuple(name.split("/", 1)) for name in inputs if "/" in name]
        sizes = {(table, day): each.get(table, 1) * self._rows_of(f"{table}/{day}") for table, day in names}
        own = sum(size for (_, day), size in sizes.items() if day == partition)
        tables = {table for table, _ in sizes}
        return own or (sum(sizes.values()) * len(tables) // len(sizes) if sizes else 0)

    def rows_in(self, inputs: Mapping[str, Mapping[str, str]]) -> int:
        """Return how many rows of tables some partitions are made from, each counted once, as the ledger does."""
        return sum(self._rows_of(name) for name in {name for named in inputs.values() for name in named if "/" in name})

    def _rows_of(self, name: str) -> int:
        table, partition = name.split("/", 1)
        if table not in self._parts:
            self._parts[table] = self.flow.ledger.parts(table)
        part = self._parts[table].get(partition)
        return part.rows if part else 0

    def _rows_of_files(self) -> dict[str, int]:
        if self._of_files is None:
            self._of_files = {}
            for file in self.flow.ledger.sources.files():
                for day, rows in zip(file.days, file.day_rows, strict=False):
                    self._of_files[day] = self._of_files.get(day, 0) + rows
        return self._of_files


def cut(rows: Mapping[str, int], *, rows_at_once: int, parallel: int = 1) -> list[list[str]]:
    """Cut partitions, in their order, into chunks of about equal rows.

    Args:
        rows: Partition -> estimated rows.
        rows_at_once: Most rows of a chunk; a partition of more is a chunk by itself.
        parallel: How many will work at once: there are chunks for all of them.

    >>> cut({"a": 4, "b": 4, "c": 9, "d": 1}, rows_at_once=8)
    [['a', 'b'], ['c'], ['d']]
    """
    most = rows_at_once
    if parallel > 1:
        most = min(most, -(-sum(rows.values()) // (_CHUNKS_A_WORKER * parallel)))
    chunks: list[list[str]] = []
    held = 0
    for partition in sorted(rows):
        if not chunks or held + rows[partition] > most:
            chunks.append([])
            held = 0
        chunks[-1].append(partition)
        held += rows[partition]
    return chunks


def halves(chunk: Sequence[str]) -> list[list[str]]:
    """Return both halves of a chunk of two partitions or more.

    >>> halves(["a", "b", "c"])
    [['a'], ['b', 'c']]
    """
    ends = [0, len(chunk) // 2, len(chunk)]
    return [list(chunk[first:last]) for first, last in pairwise(ends)]


def is_day(partition: str) -> bool:
    """Whether a partition is a day, and no name of a model or of what was seen without a day.

    >>> is_day("2026-01-01"), is_day("item_markov"), is_day("")
    (True, False, False)
    """
    return len(partition) == len("2026-01-01") and partition[:4].isdigit()
