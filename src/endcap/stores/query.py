"""What the house asks of a database whose rows are pulled: a query, ordered by a column that grows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

__all__ = ["Query", "Rows", "Watermark"]

Watermark = int | datetime
"""Value of the column that grows: an integer, an instant, or a wall-clock time (a datetime without a zone)."""


@dataclass(frozen=True)
class Rows:
    """Some rows as the database's driver gives them.

    Args:
        columns: Names of the columns, all different.
        rows: The values of each row, in the columns' order; None where a value is missing.
    """

    columns: tuple[str, ...]
    rows: list[Sequence[Any]]


class Query(Protocol):
    """One query on one database, open."""

    def latest(self) -> Watermark | None:
        """Return the greatest watermark, None if there is no row that has one.

        Raises:
            SourceError: The query is refused (SOURCE_QUERY), lacks the column (SOURCE_COLUMN), or the column is
                neither an integer nor a timestamp (SOURCE_WATERMARK).
        """
        ...

    def num_unmarked(self) -> int:
        """Count the rows that have no watermark."""
        ...

    def num_rows(self, start: Watermark) -> int:
        """Count the rows from a watermark on, itself included."""
        ...

    def read(self, start: Watermark | None, *, num_rows: int) -> Iterator[Rows]:
        """Read the rows from a watermark on, itself included, ascending by it, so many at a time; None reads all."""
        ...
