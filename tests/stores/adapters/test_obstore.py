"""On an S3 server that the test starts, over HTTP."""

import hashlib

import obstore
import pytest
from obstore.store import from_url

from endcap.core.errors import Code, SourceError
from endcap.stores.adapters.obstore import CloudObjects


@pytest.fixture
def bucket(s3):
    """The URL of a prefix, the endpoint, and a way to put an object."""
    endpoint, name = s3
    store = from_url(f"s3://{name}", config={"endpoint": endpoint}, client_options={"allow_http": True})
    return f"s3://{name}/export", endpoint, lambda key, data: obstore.put(store, key, data)


def refusal(make):
    with pytest.raises(SourceError) as caught:
        make()
    return caught.value


def test_all_objects_below_the_prefix_are_listed_with_what_changes_with_their_bytes(bucket):
    url, endpoint, put = bucket
    for key in ("export/b c%25ä.csv", "export/a/x.parquet", "exports/other.csv", "top.csv"):
        put(key, key.encode())
    listed = CloudObjects(url, endpoint=endpoint).list()
    assert [each.key for each in listed] == ["a/x.parquet", "b c%25ä.csv"]
    assert [each.etag.strip('"') for each in listed] == [
        hashlib.md5(f"export/{each.key}".encode(), usedforsecurity=False).hexdigest() for each in listed
    ]
    assert [each.size for each in listed] == [18, 19]
    assert all(each.modified_us > 1_700_000_000_000_000 for each in listed)


def test_an_object_is_read_in_pieces_with_what_it_is_then(bucket):
    url, endpoint, put = bucket
    data = bytes(range(256)) * 40_000  # 10 MB
    put("export/a/x.parquet", data)
    store = CloudObjects(url, endpoint=endpoint)
    with store.read("a/x.parquet") as opened:
        now, pieces = opened
        parts = list(pieces)
    assert now == store.list()[0]
    assert b"".join(parts) == data
    assert len(parts) > 1


def test_an_object_that_is_gone_is_none(bucket):
    url, endpoint, put = bucket
    put("export/x", b"")
    with CloudObjects(url, endpoint=endpoint).read("y") as opened:
        assert opened is None


def test_a_bucket_that_is_not_there_is_told(bucket):
    told = refusal(CloudObjects("s3://no-such-bucket/export", endpoint=bucket[1]).list)
    assert told.code == Code.SOURCE_UNREACHABLE
    assert "404" in told.what
    assert "s3://no-such-bucket/export" in told.where
    assert "\n" not in told.what


@pytest.mark.usefixtures("s3")
def test_a_server_that_does_not_answer_is_told_without_the_credentials(monkeypatch):
    monkeypatch.setattr("endcap.stores.adapters.obstore._RETRIES", 0)
    told = refusal(CloudObjects("s3://bucket/export", endpoint="http://127.0.0.1:9").list)
    assert told.code == Code.SOURCE_UNREACHABLE
    assert "secret" not in str(told)
    assert "AWS_SECRET_ACCESS_KEY" in told.fix


def test_azure_without_an_account_is_told(monkeypatch):
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    told = refusal(lambda: CloudObjects("az://container/export"))
    assert told.code == Code.SOURCE_UNREACHABLE
    assert "AZURE_STORAGE_ACCOUNT_NAME" in told.fix
