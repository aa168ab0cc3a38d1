"""Databases by SQLAlchemy: any that it has a driver for, PostgreSQL (`endcap[postgres]`) and SQLite among them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from endcap.core.errors import Code, SourceError, near
from endcap.stores.query import Rows, Watermark

__all__ = ["SqlQuery"]

_CONNECT_S = 10
_LONGEST = 300


class SqlQuery:
    """The query port on one connection, which only reads.

    Args:
        url: SQLAlchemy URL without a password.
        query: A table's name or a SELECT.
        watermark: The column that grows.
        password: "" for none, or for one that the driver finds itself (PGPASSWORD, ~/.pgpass).

    Raises:
        SourceError: The database cannot be reached, or its driver is not installed (SOURCE_UNREACHABLE); the query is
            refused (SOURCE_QUERY) or lacks the column (SOURCE_COLUMN).
    """

    def __init__(self, url: str, query: str, watermark: str, *, password: str = "") -> None:
        self._password = password
        self._where = "[events.database] of endcap.toml"
        self._engine = self._made(url)
        self._watermark = watermark
        self._column: sa.ColumnElement[Any] = sa.column(watermark)
        self._rows: Any = self._source(query)
        self._connection = self._connected()
        try:
            self._check_columns()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Return the query itself, which is closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()
        self._engine.dispose()

    def latest(self) -> Watermark | None:
        """Return the greatest watermark; see the port."""
        value = self._one(sa.func.max(self._column))
        if value is None or (isinstance(value, int | datetime) and not isinstance(value, bool)):
            return value
        raise SourceError(
            f"the watermark column {self._watermark!r} holds {type(value).__name__}, not integers or timestamps",
            where=self._where,
            fix="name a column that grows with every row, such as an id that is counted up or the instant of the "
            "insert, or cast it within the SELECT",
            code=Code.SOURCE_WATERMARK,
        )

    def num_unmarked(self) -> int:
        """Count the rows that have no watermark; see the port."""
        return int(self._one(sa.func.count(), self._column.is_(None)))

    def num_rows(self, start: Watermark) -> int:
        """Count the rows from a watermark on; see the port."""
        return int(self._one(sa.func.count(), self._column >= start))

    def read(self, start: Watermark | None, *, num_rows: int) -> Iterator[Rows]:
        """Read the rows from a watermark on; see the port. The database keeps the rest until it is asked for."""
        wanted = sa.select(sa.text("*")).select_from(self._rows).order_by(self._column)
        if start is not None:
            wanted = wanted.where(self._column >= start)
        with self._told():
            streaming = {"stream_results": True, "max_row_buffer": min(num_rows, 10_000)}
            result = self._connection.execute(wanted, execution_options=streaming)
            try:
                for part in result.partitions(num_rows):
                    yield Rows(tuple(result.keys()), [tuple(row) for row in part])
            finally:
                result.close()

    def _source(self, query: str) -> Any:
        """Return what stands after FROM. The user's text is taken as it is: no colon in it names a parameter."""
        if re.match(r"(?is)(select|with)\b", query):
            escaped = query.replace(":", "\\:")
            return sa.text(f"({escaped}\n) AS pulled")
        schema, _, name = query.rpartition(".")
        return sa.table(name, schema=schema or None)

    def _check_columns(self) -> None:
        with self._told():
            none = sa.select(sa.text("*")).select_from(self._rows).where(sa.text("1 = 0"))
            names = list(self._connection.execute(none).keys())
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            what, fix = (
                f"the query has the column {twice[0]!r} twice",
                "give each column of the SELECT a name of its own",
            )
        elif self._watermark not in names:
            what = f"the query has no watermark column {self._watermark!r}; {near(self._watermark, names)}"
            fix = "correct events.database.watermark, or add the column to the SELECT"
        else:
            return
        raise SourceError(what, where=self._where, fix=fix, code=Code.SOURCE_COLUMN)

    def _one(self, what: Any, *conditions: Any) -> Any:
        with self._told():
            return self._connection.execute(sa.select(what).select_from(self._rows).where(*conditions)).scalar_one()

    def _made(self, url: str) -> sa.Engine:
        try:
            parsed = sa.make_url(url)
            self._where = f"events.database.url = {parsed.render_as_string(hide_password=True)!r}"
            if self._password and parsed.username:  # a file has none
                parsed = parsed.set(password=self._password)
            return sa.create_engine(parsed, poolclass=sa.NullPool, connect_args=_connect_args(parsed))
        except (ArgumentError, ImportError, NoSuchModuleError) as error:
            fix = (
                "install the driver beside Endcap (for PostgreSQL `pip install 'endcap[postgres]'`), and name it in "
                "the URL: postgresql+psycopg://"
            )
            raise self._failed(f"there is no driver for this database: {error}", fix) from error

    def _connected(self) -> sa.Connection:
        path = self._engine.url.database
        if self._engine.dialect.name == "sqlite" and not (path and Path(path).is_file()):
            # SQLite would make the file, empty.
            raise self._failed(f"there is no SQLite file {path}", "correct events.database.url")
        try:
            connection = self._engine.connect()
        except SQLAlchemyError as error:
            fix = (
                "check host, port, user and database; the password stands in ENDCAP_DATABASE_PASSWORD or in "
                "keys/database.password below the shop"
            )
            raise self._failed(f"the database cannot be reached: {self._line_of(error)}", fix) from error
        if self._engine.dialect.name == "postgresql":
            # One picture of the data for the length of the pull, and nothing can be written by a slip in the SELECT.
            connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        return connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise SourceError(
                f"the database refuses the query: {self._line_of(error)}",
                where=self._where,
                fix="correct events.database.query; run it by hand as the same user to see more",
                code=Code.SOURCE_QUERY,
            ) from error

    def _failed(self, what: str, fix: str) -> SourceError:
        return SourceError(what, where=self._where, fix=fix, code=Code.SOURCE_UNREACHABLE)

    def _line_of(self, error: SQLAlchemyError) -> str:
        """Return the first line of what the driver says, without the statement and its values, and with no password."""
        original = getattr(error, "orig", None) or error
        line = next(iter(str(original).splitlines()), type(original).__name__)[:_LONGEST]
        return line.replace(self._password, "***") if self._password else line


def _connect_args(url: sa.URL) -> dict[str, Any]:
    """Return what makes a driver give up on a host that does not answer."""
    waits = {"postgresql": "connect_timeout", "mysql": "connect_timeout"}
    name = waits.get(url.get_backend_name())
    return {name: _CONNECT_S} if name and name not in url.query else {}
