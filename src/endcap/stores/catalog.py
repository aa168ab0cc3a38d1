"""The catalog database: attempts, leases, what is in force, source files and the audit log.

SQLite by default, PostgreSQL by URL; the schema is changed by the migrations in `migrations/` alone. On both, the
transactions of one shop run one after the other: what is read in one is still true when it writes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from endcap.core.errors import Code, LedgerError

__all__ = [
    "HEAD",
    "Catalog",
    "attempt",
    "audit",
    "fact",
    "lease",
    "metadata",
    "partition_state",
    "source_file",
    "source_schema",
    "table_part",
]

HEAD = "0002"
"""The newest migration; a database at another one is upgraded when it is opened."""

metadata = sa.MetaData()
_Text, _Big, _Real = sa.Text, sa.BigInteger, sa.Float


def _scope() -> list[sa.Column[Any]]:
    """Return the columns that name whose row it is."""
    return [sa.Column(name, _Text, nullable=False) for name in ("organisation", "project", "region")]


attempt = sa.Table(
    "attempt",
    metadata,
    sa.Column("attempt_id", sa.Integer, primary_key=True),
    sa.Column("run_id", _Text, nullable=False, index=True),
    *_scope(),
    sa.Column("actor", _Text, nullable=False),
    sa.Column("step", _Text, nullable=False, index=True),
    sa.Column("partitions", sa.JSON, nullable=False),
    sa.Column("fingerprints", sa.JSON, nullable=False),
    sa.Column("inputs", sa.JSON, nullable=False),
    sa.Column("outputs", sa.JSON, nullable=False),
    sa.Column("config_digest", _Text, nullable=False),
    sa.Column("code_digest", _Text, nullable=False),
    sa.Column("code_version", _Text, nullable=False),
    sa.Column("token", sa.Integer, nullable=False),
    sa.Column("queued_at_us", _Big, nullable=False),
    sa.Column("started_at_us", _Big, nullable=False),
    sa.Column("ended_at_us", _Big),
    sa.Column("queue_s", _Real, nullable=False),
    sa.Column("wall_s", _Real),
    sa.Column("cpu_s", _Real),
    sa.Column("peak_rss_bytes", _Big),
    sa.Column("bytes_read", _Big),
    sa.Column("bytes_written", _Big),
    sa.Column("rows_in", _Big),
    sa.Column("rows_out", _Big),
    sa.Column("outcome", _Text, nullable=False),
    sa.Column("error_code", _Text),
    sa.Column("error", _Text),
    sa.Column("detail", sa.JSON, nullable=False),
)
"""Every attempt at a step, also the failed and the abandoned ones. Outcome: running, done, failed, abandoned, or
unchanged: it waited for another runner, which did it."""

lease = sa.Table(
    "lease",
    metadata,
    sa.Column("name", _Text, primary_key=True),
    sa.Column("holder", _Text),
    sa.Column("token", sa.Integer, nullable=False),
    sa.Column("expires_at_us", _Big, nullable=False),
)
"""Who may write a step's outputs now. The token grows with every holder."""

partition_state = sa.Table(
    "partition_state",
    metadata,
    sa.Column("step", _Text, primary_key=True),
    sa.Column("partition", _Text, primary_key=True),
    sa.Column("fingerprint", _Text, nullable=False),
    sa.Column("attempt_id", sa.Integer, sa.ForeignKey("attempt.attempt_id"), nullable=False),
    sa.Column("output", sa.JSON, nullable=False),
)
"""The fingerprint under which each partition of a step was last done, and what came out where that is no table."""

table_part = sa.Table(
    "table_part",
    metadata,
    sa.Column("table", _Text, primary_key=True),
    sa.Column("partition", _Text, primary_key=True),
    sa.Column("digest", _Text, nullable=False),
    sa.Column("rows", _Big, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
)
"""Digest of the content of each partition of a table; "" while it is being written."""

fact = sa.Table(
    "fact",
    metadata,
    sa.Column("name", _Text, primary_key=True),
    sa.Column("value", _Text, nullable=False),
)
"""What is settled once and must not change, such as under which key a shop's users are hashed."""

source_file = sa.Table(
    "source_file",
    metadata,
    sa.Column("source", _Text, primary_key=True),
    sa.Column("name", _Text, primary_key=True),
    sa.Column("path", _Text, nullable=False),
    sa.Column("size", _Big, nullable=False),
    sa.Column("mtime_ns", _Big, nullable=False),
    sa.Column("sha256", _Text, nullable=False),
    sa.Column("days", sa.JSON, nullable=False),
    sa.Column("named_day", _Text, nullable=False),
    sa.Column("num_unplaced", _Big, nullable=False),
    sa.Column("num_rows", _Big, nullable=False),
    sa.Column("settings", _Text, nullable=False),
    sa.Column("day_rows", sa.JSON, nullable=False),
    sa.Column("schema", _Text, nullable=False),
    sa.Column("broken", _Text, nullable=False),
)
"""What is known of each source file, so that an unchanged one is not read again while `settings` are the same."""

source_schema = sa.Table(
    "source_schema",
    metadata,
    sa.Column("source", _Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("columns", sa.JSON, nullable=False),
    sa.Column("file", _Text, nullable=False),
    sa.Column("day", _Text, nullable=False),
    sa.Column("before", sa.Integer, nullable=False),
    sa.Column("run_id", _Text, nullable=False),
)
"""Each schema that a source's files ever had; rows are only ever added."""

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("audit_id", sa.Integer, primary_key=True),
    sa.Column("at_us", _Big, nullable=False),
    sa.Column("actor", _Text, nullable=False),
    sa.Column("action", _Text, nullable=False),
    sa.Column("resource", _Text, nullable=False),
    sa.Column("outcome", _Text, nullable=False),
    *_scope(),
    sa.Column("detail", _Text, nullable=False),
)
"""Who did or was refused what: every change, and every reading of personal data by a person."""


class Catalog:
    """An open catalog database at the newest migration.

    Args:
        url: SQLAlchemy URL, or a path of a SQLite file, which is made when it is not there.
        password: Password of a server; "" for none, or for one that the driver finds itself (PGPASSWORD, ~/.pgpass).
        schema: Schema of a PostgreSQL database that holds this shop's tables; it is made when it is not there.

    Raises:
        LedgerError: The database cannot be opened or is of a newer version of Endcap.
    """

    def __init__(self, url: str | Path, *, password: str = "", schema: str = "public") -> None:
        self.url = f"sqlite:///{url}" if isinstance(url, Path) else url
        self._schema = schema
        try:
            made = sa.make_url(self.url)
            self._engine = sa.create_engine(made.set(password=password) if password else made, pool_pre_ping=True)
            if self._is_sqlite:
                sa.event.listen(self._engine, "connect", _prepare_sqlite)
                sa.event.listen(self._engine, "begin", _begin_sqlite)
            else:
                sa.event.listen(self._engine, "connect", partial(_prepare_postgres, schema))
                sa.event.listen(self._engine, "begin", partial(_begin_postgres, schema))
            self._upgrade()
        except sa.exc.DBAPIError as error:
            raise self._unusable(str(error.orig).strip(), "check that the file is a database of Endcap and can be "
                "written, or restore it from a copy; of a server, that it runs and lets you in") from error  # fmt: skip
        except (sa.exc.ArgumentError, ImportError) as error:
            fix = "correct stores.catalog; PostgreSQL needs `pip install 'endcap[postgres]'`"
            raise self._unusable(str(error), fix) from error

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """Open a transaction; committed at the end of the block, rolled back when it raises."""
        with self._engine.begin() as connection:
            yield connection

    def now_us(self, connection: sa.Connection) -> int:
        """Return the database's own clock in microseconds UTC: leases of several machines share it."""
        sql = {
            "sqlite": "SELECT CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)",
            "postgresql": "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)",
        }[self._engine.dialect.name]
        return int(connection.execute(sa.text(sql)).scalar_one())

    @property
    def where(self) -> str:
        """The database as errors name it, without its password."""
        return sa.make_url(self.url).render_as_string(hide_password=True)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    @property
    def _is_sqlite(self) -> bool:
        return bool(self._engine.dialect.name == "sqlite")

    def _upgrade(self) -> None:
        """Bring the schema to the newest migration. Two that open a new database at once do it one after the other."""
        with self.begin() as connection:
            if not self._is_sqlite and not sa.inspect(connection).has_schema(self._schema):
                connection.execute(sa.schema.CreateSchema(self._schema))
            if sa.inspect(connection).has_table("alembic_version"):
                found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
                if found == HEAD:
                    return
                if found is not None and found > HEAD:
                    raise self._unusable(
                        f"it is at migration {found}, this version of Endcap knows up to {HEAD}",
                        "use the newer version of Endcap that made it",
                    )
            # Imported late: half a second that only a new or an old database costs.
            from alembic import command  # noqa: PLC0415
            from alembic.config import Config  # noqa: PLC0415

            config = Config()
            config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _unusable(self, why: str, fix: str) -> LedgerError:
        where = self.url if "://" not in self.url else self.url.split("://", 1)[0] + "://" + self.url.rpartition("@")[2]
        return LedgerError(
            f"the catalog database cannot be used: {why}", where=where, fix=fix, code=Code.LEDGER_UNUSABLE
        )


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Readers do not wait for the writer, a commit is on disk, and a second writer waits for up to 20 s."""
    connection.isolation_level = None  # sqlite3 would begin no transaction before CREATE TABLE; we begin them ourselves
    cursor = connection.cursor()
    # The timeout first: two processes may change the journal of a new file at once.
    for pragma in ("busy_timeout = 20000", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    """Take the write lock at once: a transaction that reads first and writes later could not be retried."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _prepare_postgres(schema: str, connection: Any, _record: Any) -> None:
    """Work in the shop's schema; a transaction whose process was stopped does not block the others for long."""
    connection.autocommit = True  # what is set within a transaction goes with its rollback
    with connection.cursor() as cursor:
        cursor.execute(f'SET search_path TO "{schema}"')
        cursor.execute("SET idle_in_transaction_session_timeout = '10s'")
        cursor.execute("SET lock_timeout = '20s'")
    connection.autocommit = False


def _begin_postgres(schema: str, connection: sa.Connection) -> None:
    """Let the transactions of a shop run one after the other, as SQLite's do; the lock ends with the transaction."""
    connection.execute(
        sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"endcap {schema}"}
    )
