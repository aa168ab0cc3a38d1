"""On SQLite, and on a PostgreSQL server that the test starts."""

import os
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import sqlalchemy as sa

from endcap.core.errors import Code, SourceError
from endcap.stores.adapters.sqlalchemy import SqlQuery

PASSWORD_SET = "ENDCAP_DATABASE_PASSWORD"  # noqa: S105 - its name


@pytest.fixture
def sqlite(tmp_path):
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE orders (id INTEGER, word TEXT, price REAL)")
        rows = [(2, "50 % off: 10:30", 1.5), (1, None, None), (3, "b", 2.0), (None, "c", 0.0)]
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?)", rows)
    return f"sqlite:///{path}"


@pytest.fixture
def table(postgres):
    """A PostgreSQL table `Kiosk`.`Sold`, its URL, password, and a connection that writes."""
    password = os.environ[PASSWORD_SET]
    engine = sa.create_engine(sa.make_url(postgres).set(password=password), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text('DROP SCHEMA IF EXISTS "Kiosk" CASCADE'))
        connection.execute(sa.text('CREATE SCHEMA "Kiosk"'))
        connection.execute(
            sa.text(
                'CREATE TABLE "Kiosk"."Sold" ("At" timestamptz, wall timestamp, day date, price numeric(10, 2), '
                "note text)"
            )
        )
        yield postgres, password, connection.exec_driver_sql
    engine.dispose()


def read(query, start=None, *, num_rows=10):
    return [row for part in query.read(start, num_rows=num_rows) for row in part.rows]


def refusal(*args, **more):
    with pytest.raises(SourceError) as caught:
        asked(*args, **more)
    return caught.value


def asked(*args, **more):
    with SqlQuery(*args, **more) as query:
        query.latest()
        read(query)


def test_a_table_is_read_from_a_watermark_on_ascending_and_in_parts(sqlite):
    with SqlQuery(sqlite, "orders", "id") as query:
        assert (query.latest(), query.num_unmarked(), query.num_rows(2)) == (3, 1, 2)
        assert read(query, 2) == [(2, "50 % off: 10:30", 1.5), (3, "b", 2.0)]
        parts = list(query.read(1, num_rows=2))
        assert [len(part.rows) for part in parts] == [2, 1]
        assert parts[0].columns == ("id", "word", "price")


def test_a_select_is_taken_as_it_is_written(sqlite):
    select = (
        "SELECT id AS \"order id\", word -- 10:30\nFROM orders WHERE word LIKE '5% off: :x%' OR word LIKE '%0 \\:%'"
    )
    with SqlQuery(sqlite, select.replace("'5% off: :x%'", "'50 %:30'"), "order id") as query:
        assert read(query, 0) == [(2, "50 % off: 10:30")]


def test_a_query_without_rows_has_no_watermark(sqlite):
    with SqlQuery(sqlite, "SELECT * FROM orders WHERE id > 9", "id") as query:
        assert query.latest() is None


@pytest.mark.parametrize(
    ("query", "watermark", "code", "told"),
    [
        ("ordres", "id", Code.SOURCE_QUERY, "no such table: ordres"),
        ("SELECT ide FROM orders", "id", Code.SOURCE_QUERY, "no such column: ide"),
        ("orders", "ids", Code.SOURCE_COLUMN, "did you mean 'id'?"),
        ("orders", "word", Code.SOURCE_WATERMARK, "'word' holds str"),
        ("orders", "price", Code.SOURCE_WATERMARK, "'price' holds float"),
    ],
)
def test_a_query_that_cannot_be_pulled_is_told(sqlite, query, watermark, code, told):
    caught = refusal(sqlite, query, watermark)
    assert caught.code == code
    assert told in caught.what.replace('"', "'")
    assert "shop.db" in caught.where


def test_a_file_that_is_not_there_is_told_and_not_made(tmp_path):
    caught = refusal(f"sqlite:///{tmp_path / 'other.db'}", "orders", "id")
    assert caught.code == Code.SOURCE_UNREACHABLE
    assert not (tmp_path / "other.db").exists()


@pytest.mark.parametrize("url", ["nosuch://db/shop", "oracle://db/shop"])
def test_a_driver_that_is_not_installed_is_told(url):
    caught = refusal(url, "orders", "id")
    assert caught.code == Code.SOURCE_UNREACHABLE
    assert "endcap[postgres]" in caught.fix


def test_a_password_that_is_wrong_is_told_and_not_repeated(table):
    caught = refusal(table[0], "orders", "id", password="wrong:hush")  # noqa: S106
    assert caught.code == Code.SOURCE_UNREACHABLE
    assert "password authentication failed" in caught.what
    assert "hush" not in str(caught)
    assert PASSWORD_SET in caught.fix


def test_a_server_that_is_not_there_is_told():
    caught = refusal("postgresql+psycopg://reader@127.0.0.1:9/shop", "orders", "id", password="hush")  # noqa: S106
    assert caught.code == Code.SOURCE_UNREACHABLE
    assert "hush" not in str(caught)


def test_postgres_gives_its_types_and_goes_by_instants(table):
    url, password, run = table
    run(
        'INSERT INTO "Kiosk"."Sold" VALUES '
        "('2026-03-01T10:00:00.000001+02:00', '2026-03-01T10:00:00', '2026-03-01', 12.50, '100 %% :x'),"
        "('2026-03-01T10:00:00Z', NULL, NULL, NULL, NULL)"
    )
    with SqlQuery(url, "Kiosk.Sold", "At", password=password) as query:
        latest = query.latest()
        rows = read(query, num_rows=1)
        assert (latest.astimezone(UTC), query.num_rows(latest), query.num_unmarked()) == (
            datetime(2026, 3, 1, 10, tzinfo=UTC),
            1,
            0,
        )
    assert rows[0][0].astimezone(UTC) == datetime(2026, 3, 1, 8, 0, 0, 1, tzinfo=UTC)
    assert rows[0][1:] == (datetime(2026, 3, 1, 10), date(2026, 3, 1), Decimal("12.50"), "100 % :x")  # noqa: DTZ001
    assert rows[1][1:] == (None, None, None, None)
    select = 'SELECT wall, note::text FROM "Kiosk"."Sold" WHERE note LIKE \'100 \\%%\''
    with SqlQuery(url, select, "wall", password=password) as query:
        assert (query.latest(), query.num_unmarked()) == (datetime(2026, 3, 1, 10), 0)  # noqa: DTZ001
        assert read(query, query.latest()) == [(datetime(2026, 3, 1, 10), "100 % :x")]  # noqa: DTZ001


def test_postgres_shows_one_state_for_the_length_of_a_pull_and_is_not_written_to(table):
    url, password, run = table
    run('INSERT INTO "Kiosk"."Sold" SELECT now() + n * interval \'1 second\' FROM generate_series(1, 2000) AS n')
    with SqlQuery(url, "Kiosk.Sold", "At", password=password) as query:
        before = query.latest()
        run('INSERT INTO "Kiosk"."Sold" VALUES (now() + interval \'1 day\')')
        assert query.latest() == before
        assert len(read(query, num_rows=100)) == 2000
    run('CREATE FUNCTION "Kiosk".slip() RETURNS int LANGUAGE sql AS \'DELETE FROM "Kiosk"."Sold"; SELECT 1\'')
    caught = refusal(url, 'SELECT "At", "Kiosk".slip() FROM "Kiosk"."Sold"', "At", password=password)
    assert caught.code == Code.SOURCE_QUERY
    assert "read-only" in caught.what


def test_columns_of_one_name_are_refused(table):
    told = refusal(table[0], "SELECT 1 AS id, 'a' AS word, 'b' AS word", "id", password=table[1])
    assert told.code == Code.SOURCE_COLUMN
    assert "'word' twice" in told.what


def test_what_postgres_says_of_a_query_is_told(table):
    assert "does not exist" in refusal(table[0], "ordres", "id", password=table[1]).what
