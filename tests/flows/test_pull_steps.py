"""Two shops of the same three days: the rows of one lie in a database, the files of the other in an object store."""

import os

import obstore
import pytest
import sqlalchemy as sa
from obstore.store import from_url

from endcap.core.clock import fixed_clock
from endcap.core.errors import Code, SourceError
from endcap.core.tables import EVENTS, ITEMS, QUARANTINE
from endcap.flows.pull_steps import pulls
from endcap.flows.refresh import refresh
from endcap.flows.shop import make_key

LATER = fixed_clock("2026-03-10T13:00:00")
DAYS = ("2026-03-01", "2026-03-05", "2026-03-09")
ROWS = [
    (1, "2026-03-01T10:00:00", "u1", "view_item", "A", "9.50"),
    (2, "2026-03-01T10:05:00", "u1", "view_item", "B", "20"),
    (3, "2026-03-05T10:00:00", "u2", "add_to_cart", "A", "9.50"),
    (4, "2026-03-09T10:00:00", "u2", "dance", "A", None),
    (5, "2026-03-09T10:01:00", "u2", "view_item", "C", None),
]
NAMES = ("id", "at", "person", "event", "item", "price")
SHOP = """
[shop]
project = "pulled"
[events]
{source}
default_currency = "EUR"
max_bad_share = 0.6
[events.reader]
kind = "mapped"
files = "{files}"
time = "at"
event_name = "event"
event_id = "id"
user_id = "person"
item_id = "item"
price = "price"
"""
FEED = "id\ttitle\tprice\nA\tA lamp\t9.50 EUR\n"
TABLE = "CREATE TABLE told (id INTEGER, at {time}, person TEXT, event TEXT, item TEXT, price {price})"
INSERT = "INSERT INTO told VALUES (:id, :at, :person, :event, :item, :price)"


def make_shop(root, source, files="*.parquet"):
    root.mkdir()
    (root / "endcap.toml").write_text(SHOP.format(source=source, files=files))
    make_key(root / "keys" / "user.key")
    return root


def database(url, query="told"):
    return f'database = {{ url = "{url}", query = "{query}", watermark = "id", overlap = 3 }}'


class Database:
    """A table in an SQL database of any kind."""

    def __init__(self, url, **types):
        self.engine = sa.create_engine(url)
        self.run("DROP TABLE IF EXISTS told")
        self.run(TABLE.format(**types))

    def run(self, statement, rows=None):
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement), rows)

    def tell(self, *rows):
        self.run(INSERT, [dict(zip(NAMES, row, strict=True)) for row in rows])


@pytest.fixture
def sqlite(tmp_path):
    made = Database(f"sqlite:///{tmp_path / 'shop.db'}", time="TEXT", price="TEXT")
    yield made, make_shop(tmp_path / "shop", database("sqlite:///../shop.db"))
    made.engine.dispose()


def states(told):
    return {report.step: report.state for report in told.steps if report.step in ("pull", "ingest")}


def ingest(root, **more):
    return refresh(root, verbs=("ingest",), clock=LATER, **more)


def rows_of(flow_of, root, table):
    flow = flow_of(root)
    return flow.engine.to_arrow(flow.read(table)).to_pylist()


def told_of(flow_of, root):
    """What of the events does not depend on where they came from."""
    rows = rows_of(flow_of, root, EVENTS)
    return sorted(
        (row["event_id"], row["event_name"], row["at_us"], row["item_id"], row["price_minor"]) for row in rows
    )


def test_rows_of_a_database_become_events_traced_by_file_and_row(sqlite, flow_of):
    source, root = sqlite
    source.tell(*ROWS)
    assert states(ingest(root)) == {"pull": "done", "ingest": "done"}
    assert len(rows_of(flow_of, root, EVENTS)) == 4
    (bad,) = rows_of(flow_of, root, QUARANTINE)
    assert (bad["source_file"], bad["source_row"], bad["reason"]) == (
        "rows_00000001_1_5.parquet",
        3,
        "event_name_unknown",
    )
    assert (root / "pulled").stat().st_mode & 0o077 == 0
    assert list((root / "scratch").glob("pull-*")) == []
    assert states(ingest(root)) == {"pull": "unchanged", "ingest": "unchanged"}
    source.run("ALTER TABLE told ADD COLUMN site TEXT DEFAULT 'main'")
    source.run("INSERT INTO told VALUES (6, '2026-03-05T11:00:00', 'u2', 'view_item', 'A', NULL, 'main')")
    told = {report.step: report for report in ingest(root).steps}
    assert (told["pull"].note, told["ingest"].partitions) == ("1 new rows", 1)
    assert len(rows_of(flow_of, root, EVENTS)) == 5
    (root / "pulled/database/rows_00000002_6_6.parquet").unlink()
    assert states(ingest(root)) == {"pull": "done", "ingest": "unchanged"}


def test_a_database_that_cannot_be_reached_stops_the_refresh(sqlite, tmp_path):
    (tmp_path / "shop.db").unlink()
    with pytest.raises(SourceError) as caught:
        ingest(sqlite[1])
    assert caught.value.code == Code.SOURCE_UNREACHABLE


def test_postgres_and_sqlite_give_the_same_events(sqlite, tmp_path, postgres, flow_of):
    password = os.environ["ENDCAP_DATABASE_PASSWORD"]
    source = Database(sa.make_url(postgres).set(password=password), time="timestamptz", price="numeric(12, 3)")
    source.tell(*[(*row[:1], row[1] + "+00:00", *row[2:]) for row in ROWS])
    root = make_shop(tmp_path / "other", database(postgres, "SELECT * FROM told WHERE id > 0"))
    ingest(root)
    source.engine.dispose()
    sqlite[0].tell(*ROWS)
    ingest(sqlite[1])
    assert told_of(flow_of, root) == told_of(flow_of, sqlite[1])
    assert sorted(row[4] or 0 for row in told_of(flow_of, root)) == [0, 950, 950, 2000]


@pytest.fixture
def bucket(tmp_path, s3):
    """A store of objects by key, and a shop whose files and feed they are."""
    endpoint, name = s3
    store = from_url(f"s3://{name}/export", config={"endpoint": endpoint}, client_options={"allow_http": True})
    source = f'source = "s3://{name}/export"\nobjects = {{ endpoint = "{endpoint}" }}\n'
    root = make_shop(tmp_path / "box", source + 'catalogue = { kind = "merchant", file = "feeds/today.tsv" }', "*.csv")
    for day in DAYS:
        lines = [",".join(str(value or "") for value in row) for row in ROWS if row[1].startswith(day)]
        obstore.put(store, f"{day[:7]}/{day}.csv", "\n".join([",".join(NAMES), *lines]).encode())
    obstore.put(store, "feeds/today.tsv", FEED.encode())
    obstore.put(store, "notes.txt", b"not asked for")
    return store, root


def test_objects_of_a_store_become_events_and_their_feed_items(bucket, flow_of):
    store, root = bucket
    assert states(ingest(root)) == {"pull": "done", "ingest": "done"}
    assert len(rows_of(flow_of, root, EVENTS)) == 4
    assert {row["title"] for row in rows_of(flow_of, root, ITEMS) if row["item_id"] == "A"} == {"A lamp"}
    mirrored = {path.name for path in (root / "pulled/objects").rglob("*") if path.is_file()}
    assert mirrored == {*(f"{day}.csv" for day in DAYS), "today.tsv"}
    assert states(ingest(root)) == {"pull": "unchanged", "ingest": "unchanged"}

    changed = f"{','.join(NAMES)}\n9,2026-03-05T10:00:00,u2,view_item,B,"
    obstore.put(store, "2026-03/2026-03-05.csv", changed.encode())
    told = {report.step: report for report in ingest(root).steps}
    assert told["pull"].note.startswith("1 new objects")
    assert told["ingest"].partitions == 1

    obstore.delete(store, "2026-03/2026-03-05.csv")  # as a file that is gone: its day stays
    told = {report.step: report for report in ingest(root).steps}
    assert told["pull"].note.endswith("1 gone")
    assert told["ingest"].state == "unchanged"
    assert len(rows_of(flow_of, root, EVENTS)) == 4


def test_a_store_without_any_object_of_the_name_takes_nothing_away(bucket):
    store, root = bucket
    copy = root / "pulled/objects/old.csv"
    copy.parent.mkdir(parents=True)
    copy.touch()
    for meta in store.list().collect():
        if meta["path"] != "notes.txt":
            obstore.delete(store, meta["path"])
    with pytest.raises(SourceError) as caught:
        ingest(root)
    assert caught.value.code == Code.SOURCE_MISSING
    assert "none of the 1 objects" in caught.value.what
    assert copy.exists()


def test_a_shop_of_a_folder_has_nothing_to_pull(tmp_path, flow_of):
    assert not pulls(flow_of(make_shop(tmp_path / "shop", 'source = "export"')))
