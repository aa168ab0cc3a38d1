import sqlite3
from contextlib import closing, suppress

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from endcap.core.errors import Code, SourceError
from endcap.events.place_config import DatabaseSource
from endcap.events.pulled_rows import latest_rows, pull_rows, pulled_files
from endcap.stores.adapters.sqlalchemy import SqlQuery


class Shop:
    """A table `told` (id, word) in an SQLite file, and what was pulled of it."""

    def __init__(self, root):
        self.database, self.folder, self.scratch = root / "shop.db", root / "pulled", root / "scratch"
        self.run("CREATE TABLE told (id INTEGER, word TEXT)")

    def run(self, statement, *rows):
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.executemany(statement, rows or [()])

    def tell(self, *ids):
        self.run("INSERT INTO told (id, word) VALUES (?, ?)", *[(number, f"w{number}") for number in ids])

    def settings(self, **more):
        made = {"url": f"sqlite:///{self.database}", "query": "told", "watermark": "id", "overlap": 0, **more}
        return DatabaseSource.model_validate(made)

    def query(self, **more):
        told = self.settings(**more)
        return SqlQuery(told.url, told.query, told.watermark)

    def pull(self, **more):
        with self.query(**more) as query:
            return pull_rows(query, self.folder, self.settings(**more), scratch=self.scratch)

    def pulled(self):
        tables = [pq.read_table(file.path) for file in pulled_files(self.folder)]
        return [row for table in tables for row in table.to_pylist()]

    def ids(self):
        return [row["id"] for row in self.pulled()]

    def names(self):
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


def refusal(shop, **more):
    with pytest.raises(SourceError) as caught:
        shop.pull(**more)
    return caught.value


def test_rows_are_pulled_once_in_files_that_tell_their_number_and_watermarks(shop):
    shop.tell(3, 1, 2)
    assert shop.pull(file_rows=2) == 3
    assert shop.names() == ["rows_00000001_1_2.parquet", "rows_00000002_3_3.parquet"]
    assert shop.pull(file_rows=2) == 0
    shop.tell(4)
    assert shop.pull() == 1
    assert shop.names()[2:] == ["rows_00000003_4_4.parquet"]
    assert shop.pulled()[3] == {"id": 4, "word": "w4"}


def test_a_row_that_comes_late_is_found_within_the_overlap_alone(shop):
    shop.tell(10, 20)
    shop.pull()
    shop.tell(19, 15, 14)
    assert shop.pull(overlap=5) == 2
    assert sorted(shop.ids()) == [10, 15, 19, 20]
    assert shop.pull(overlap=6) == 1


def test_rows_that_are_equal_all_count(shop):
    shop.tell(1, 1, 1)
    assert shop.pull(file_rows=2) == 3
    shop.tell(1)
    assert shop.pull() == 1
    assert shop.pull() == 0


def test_other_columns_and_types_do_not_bring_old_rows_again(shop):
    shop.tell(1, 2)
    shop.pull()
    shop.run("ALTER TABLE told ADD COLUMN price REAL")
    shop.run("INSERT INTO told VALUES (3, 'w3', 1.5)")
    assert shop.pull(overlap=100) == 1
    assert shop.pulled()[2] == {"id": 3, "word": "w3", "price": 1.5}
    shop.run("INSERT INTO told VALUES (4, 5, 'much')")
    assert shop.pull(overlap=100) == 1
    shop.run("ALTER TABLE told DROP COLUMN price")
    assert shop.pull(overlap=100) == 0
    shop.run("ALTER TABLE told ADD COLUMN site TEXT DEFAULT 'main'")
    shop.tell(4)
    assert shop.pull(overlap=100) == 1


def test_a_column_without_a_value_keeps_its_type_from_file_to_file(shop):
    shop.run("CREATE TABLE more (id INTEGER, price REAL)")
    shop.run("INSERT INTO more VALUES (?, ?)", (1, 1.5), (2, None))
    shop.pull(query="more", file_rows=1)
    assert pq.read_schema(pulled_files(shop.folder)[1].path).field("price").type == pa.float64()


def test_nothing_is_pulled_while_nothing_is_new(shop):
    def told():
        with shop.query() as query:
            return latest_rows(query, shop.settings(overlap=5))

    assert told() == {"latest": ""}
    shop.tell(10, 20)
    assert told() == {"latest": "20", "rows": "1"}
    shop.tell(14)
    assert told() == {"latest": "20", "rows": "1"}
    shop.tell(15)
    assert told() == {"latest": "20", "rows": "2"}


def test_rows_without_a_watermark_are_refused(shop):
    shop.tell(1, None, None)
    told = refusal(shop)
    assert told.code == Code.SOURCE_WATERMARK
    assert "2 rows" in told.what


def test_a_table_without_rows_is_refused_at_first_and_later_holds_nothing_new(shop):
    assert refusal(shop).code == Code.SOURCE_MISSING
    shop.tell(1)
    shop.pull()
    shop.run("DELETE FROM told")
    assert shop.pull() == 0


def test_a_watermark_that_has_gone_back_is_refused_beyond_the_overlap(shop):
    shop.tell(5, 100)
    shop.pull()
    shop.run("DELETE FROM told WHERE id = 100")
    told = refusal(shop, overlap=94)
    assert told.code == Code.SOURCE_WATERMARK
    assert "is 5" in told.what
    assert "through 100" in told.what
    assert shop.pull(overlap=95) == 0


def test_another_watermark_column_is_refused(shop):
    shop.tell(1)
    shop.pull()
    told = refusal(shop, query="SELECT id, id AS other FROM told", watermark="other")
    assert told.code == Code.SOURCE_WATERMARK
    assert "'id'" in told.what
    assert "'other'" in told.what


def test_a_file_that_is_gone_is_told(shop):
    shop.tell(1, 2, 3)
    shop.pull(file_rows=1)
    (shop.folder / "rows_00000002_2_2.parquet").unlink()
    told = refusal(shop)
    assert told.code == Code.SOURCE_MISSING
    assert "number 2 is gone" in told.what


class KilledError(BaseException):
    """What stands for a kill."""


class Failing:
    """A query that dies after some rows."""

    def __init__(self, query, num_rows):
        self.query, self.left = query, num_rows

    def __getattr__(self, name):
        return getattr(self.query, name)

    def read(self, start, *, num_rows):
        for part in self.query.read(start, num_rows=num_rows):
            self.left -= len(part.rows)
            if self.left < 0:
                raise KilledError
            yield part


PULLS = st.lists(st.tuples(st.lists(st.integers(-10, 10), max_size=6), st.integers(0, 12)), max_size=5)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(PULLS, st.integers(1, 4))
def test_however_often_it_is_killed_each_row_is_pulled_once(tmp_path_factory, pulls, file_rows):
    shop = Shop(tmp_path_factory.mktemp("pulls"))
    told = shop.settings(file_rows=file_rows, overlap=20)
    for ids, lives in pulls:
        shop.tell(*ids) if ids else None
        with shop.query() as query, suppress(KilledError, SourceError):
            pull_rows(Failing(query, lives), shop.folder, told, scratch=shop.scratch)
    wanted = sorted(number for ids, _ in pulls for number in ids)
    if wanted:
        shop.pull(file_rows=file_rows, overlap=20)
        assert shop.pull(file_rows=file_rows, overlap=20) == 0
    assert sorted(shop.ids()) == wanted
