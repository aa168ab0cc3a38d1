import threading

import pytest

from endcap.core.errors import Code, StoreError
from endcap.stores.adapters.bucket import S3Bucket, delta_options


@pytest.fixture
def bucket(s3):
    endpoint, name = s3
    return S3Bucket(f"s3://{name}/some/prefix", endpoint=endpoint)


def test_what_was_put_is_listed_read_and_fetched_from_the_prefix_on(bucket, s3, tmp_path):
    (tmp_path / "file").write_bytes(b"of a file")
    bucket.put("a/1", b"bytes")
    bucket.put("b/2", tmp_path / "file")
    assert [(each.key, each.size) for each in bucket.list()] == [("a/1", 5), ("b/2", 9)]
    assert [each.key for each in bucket.list("b")] == ["b/2"]
    assert [each.key for each in S3Bucket(f"s3://{s3[1]}/some", endpoint=s3[0]).list()] == ["prefix/a/1", "prefix/b/2"]
    bucket.fetch("b/2", tmp_path / "copy")
    assert ((tmp_path / "copy").read_bytes(), bucket.read("a/1")[0]) == (b"of a file", b"bytes")


def test_an_object_that_is_not_there_is_read_as_none_removed_without_ado_and_not_fetched(bucket, tmp_path):
    assert bucket.read("none") is None
    bucket.remove(["none"])
    bucket.remove([])
    with pytest.raises(StoreError) as caught:
        bucket.fetch("none", tmp_path / "copy")
    assert (caught.value.code, caught.value.where) == (Code.STORAGE_MISSING, f"{bucket.url}/none")


def test_a_put_under_a_condition_holds_only_where_the_object_is_what_it_was(bucket):
    assert bucket.put_if("current", b"1", None)
    assert not bucket.put_if("current", b"2", None)
    seen = bucket.read("current")[1]
    assert bucket.put_if("current", b"3", seen)
    assert not bucket.put_if("current", b"4", seen)
    assert bucket.read("current")[0] == b"3"
    bucket.remove(["current"])
    assert not bucket.put_if("current", b"5", seen)  # it is gone: not what it was either


def test_of_many_who_replace_one_object_at_once_one_wins(bucket):
    bucket.put("current", b"before")
    seen, start, won = bucket.read("current")[1], threading.Barrier(6), []

    def replace(number):
        start.wait()
        if bucket.put_if("current", f"{number}".encode(), seen):
            won.append(f"{number}".encode())

    threads = [threading.Thread(target=replace, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [bucket.read("current")[0]]


def test_a_bucket_that_is_not_there_is_told_so(s3):
    nowhere = S3Bucket("s3://no-such-bucket/x", endpoint=s3[0])
    for ask in (
        nowhere.list,
        lambda: nowhere.read("a"),
        lambda: nowhere.put("a", b""),
        lambda: nowhere.put_if("a", b"", None),
    ):
        with pytest.raises(StoreError) as caught:
            ask()
        assert caught.value.code == Code.STORAGE_MISSING


def test_a_disk_that_cannot_take_a_copy_is_no_fault_of_the_store(bucket, tmp_path):
    bucket.put("a", b"1")
    with pytest.raises(FileNotFoundError):
        bucket.fetch("a", tmp_path / "no folder" / "a")


def test_delta_reaches_the_same_store():
    plain = delta_options("http://127.0.0.1:9000", "eu-central-1")
    assert {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9000",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "eu-central-1",
    }.items() <= plain.items()
    assert not [name for name in delta_options("", "") if name.startswith("AWS")]
