import pytest
from pydantic import ValidationError

from endcap.events.config import EventsConfig
from endcap.events.place_config import DatabaseSource, ObjectSettings, is_object_url, known_source

MAPPED = {"kind": "mapped", "time": "at", "event_name": "event", "user_id": "user"}


def database(**settings):
    return DatabaseSource.model_validate(
        {"url": "postgresql+psycopg://reader@db/shop", "query": "orders", "watermark": "id", **settings}
    )


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://reader:hush@db/shop",
        "postgresql+psycopg://reader:hu@sh/hush@db/shop",
        "postgresql+psycopg://reader:@db/shop",
        "postgresql+psycopg://db/shop?user=reader&password=hush",
        "postgresql+psycopg://db/shop?sslpassword=hush",
        "mysql+pymysql://db/shop?passwd=hush",
    ],
)
def test_a_url_with_a_password_is_refused_and_not_repeated(url):
    with pytest.raises(ValidationError, match="the URL holds a password") as caught:
        database(url=url)
    told = caught.value.errors()[0]["msg"]
    assert "ENDCAP_DATABASE_PASSWORD" in told
    assert "hush" not in told


@pytest.mark.parametrize(
    "url", ["sqlite:///shop.db", "postgresql+psycopg://reader@db:5432/shop?sslmode=require", "mssql+pyodbc://db/shop"]
)
def test_a_url_without_a_password_is_taken(url):
    assert database(url=url).url == url


def test_what_is_no_url_of_a_database_is_refused():
    with pytest.raises(ValidationError, match="no URL of a database"):
        database(url="shop.db")


@pytest.mark.parametrize("query", ["orders", "shop.orders", "Shop.Orders_2", "größen"])
def test_a_name_is_a_table(query):
    assert database(query=query).is_table


@pytest.mark.parametrize("query", ["select * from orders", "WITH o AS (SELECT 1) SELECT * FROM o", " SELECT 1 ; "])
def test_a_select_is_a_query_without_its_semicolon(query):
    assert database(query=query).query == query.strip(" ;")
    assert not database(query=query).is_table


@pytest.mark.parametrize("query", ["DELETE FROM orders", "orders; DROP TABLE orders", "or ders", ""])
def test_anything_else_is_refused(query):
    with pytest.raises(ValidationError):
        database(query=query)


def test_folders_and_urls_of_object_stores_are_told_apart():
    assert [is_object_url(each) for each in ("s3://b/p", "gs://b", "az://c/p", "C://x", "a/b", "./s3:")] == [
        *[True] * 3,
        *[False] * 3,
    ]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("s3://key:secret@bucket/p", "credentials do not stand"),
        ("s3://bucket/p?X-Amz-Signature=secret", "credentials do not stand"),
        ("s3://", "names no bucket"),
        ("sqlite:///secret.db", "database stands under"),
        ("file:///secret", "without file://"),
    ],
)
def test_a_source_that_is_no_place_is_refused_and_not_repeated(source, told):
    with pytest.raises(ValueError, match=told) as caught:
        known_source(source)
    assert "secret" not in str(caught.value)


def test_azure_writes_its_account_into_the_url():
    assert known_source("abfss://box@account.dfs.core.windows.net/export").startswith("abfss")


def test_an_endpoint_holds_no_credentials():
    with pytest.raises(ValidationError):
        ObjectSettings(endpoint="https://key:secret@s3.example")
    assert ObjectSettings(endpoint="http://127.0.0.1:9000").endpoint


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"reader": MAPPED}, "missing setting source"),
        ({"database": database().model_dump()}, 'kind = "mapped"'),
        (
            {
                "database": database().model_dump(),
                "reader": MAPPED,
                "catalogue": {"kind": "merchant", "file": "feed.tsv"},
            },
            "below which the catalogue's file lies",
        ),
    ],
)
def test_events_come_from_somewhere(settings, told):
    with pytest.raises(ValidationError, match=told):
        EventsConfig.model_validate(settings)
