import sqlite3
from contextlib import closing

import obstore
import pytest
from obstore.store import from_url

from endcap.core.errors import Code, SourceError, UsageError
from endcap.flows.config import load_config
from endcap.flows.init import init_shop
from endcap.flows.init_places import Place

CSV = b"time,user_id,event_name,item_id\n2026-03-01T10:00:00,u1,view_item,A\n"
FEED = b"id\ttitle\tprice\tavailability\tlink\nA\tA lamp\t9.50 EUR\tin_stock\thttps://shop.example/a\n"


@pytest.fixture
def database(tmp_path, monkeypatch):
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection, connection:
        connection.execute("CREATE TABLE told (id INTEGER, time TEXT, user_id TEXT, event_name TEXT, item_id TEXT)")
        connection.execute("INSERT INTO told VALUES (1, '2026-03-01T10:00:00', 'u1', 'view_item', 'A')")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("database")
def test_a_shop_is_made_from_the_first_rows_of_a_query(tmp_path):
    made = init_shop(tmp_path / "shop", source=Place("sqlite:///shop.db", query="told", watermark="id"))
    events = load_config(made.config, {}).events
    assert events.database.url == f"sqlite:///{tmp_path / 'shop.db'}"
    assert (events.database.query, events.database.watermark, events.source) == ("told", "id", "")
    assert (events.reader.kind, events.reader.files, events.reader.time) == ("mapped", "*.parquet", "time")
    assert made.found[0] == "the first 1 rows were looked at"
    assert "# overlap = 3600" in made.config.read_text()


def test_a_shop_is_made_from_the_objects_of_a_store(tmp_path, s3):
    endpoint, bucket = s3
    store = from_url(f"s3://{bucket}", config={"endpoint": endpoint}, client_options={"allow_http": True})
    obstore.put(store, "export/2026/day.csv", CSV)
    obstore.put(store, "export/feeds/feed.tsv", FEED)
    made = init_shop(tmp_path / "shop", source=Place(f"s3://{bucket}/export", endpoint=endpoint))
    events = load_config(made.config, {}).events
    assert (events.source, events.objects.endpoint) == (f"s3://{bucket}/export", endpoint)
    assert (events.reader.files, events.catalogue.file) == ("*.csv", "feeds/feed.tsv")
    assert (tmp_path / "shop/pulled/objects/2026/day.csv").read_bytes() == CSV


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("place", "told"),
    [
        (Place("sqlite:///shop.db"), "needs a query and the column that grows"),
        (Place("postgresql+psycopg://me:hush@db/shop", "told", "id"), "the URL holds a password"),
        (Place("s3://key:hush@bucket"), "credentials do not stand"),
        (Place("s3://bucket", query="told"), "--query and --watermark are for the URL of a database"),
        (Place(".", endpoint="http://127.0.0.1:9"), "--endpoint is for the URL of an object store"),
        (Place("sqlite:///shop.db", "DELETE FROM told", "id"), "nor a SELECT"),
    ],
)
def test_what_does_not_fit_is_refused_and_not_repeated(tmp_path, place, told):
    with pytest.raises(UsageError, match=told) as caught:
        init_shop(tmp_path / "shop", source=place)
    assert "hush" not in str(caught.value)


@pytest.mark.usefixtures("database")
def test_a_query_without_rows_is_told(tmp_path):
    with pytest.raises(SourceError) as caught:
        init_shop(tmp_path / "shop", source=Place("sqlite:///shop.db", "SELECT * FROM told WHERE id > 9", "id"))
    assert caught.value.code == Code.SOURCE_MISSING
