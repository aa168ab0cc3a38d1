import pytest

from endcap.core.errors import Code, StoreError
from endcap.stores.adapters.bucket import S3Bucket
from endcap.stores.bucket import check_bucket


@pytest.fixture
def bucket(s3):
    endpoint, name = s3
    return S3Bucket(f"s3://{name}/shop", endpoint=endpoint)


class Forgetful(S3Bucket):
    """A store that takes every put, whatever its condition: older MinIO and Ceph are such."""

    def put_if(self, key, content, etag):
        if etag is None or self.forgets_etags:
            self.put(key, content)
            return True
        return super().put_if(key, content, etag)


def test_a_bucket_that_does_all_a_shop_needs_passes_and_is_as_before(bucket):
    bucket.put("lake/a", b"1")
    before = bucket.list()
    check_bucket(bucket, "_check/1")
    assert bucket.list() == before


@pytest.mark.parametrize(("forgets_etags", "told"), [(False, "If-None-Match"), (True, "If-None-Match")])
def test_a_store_that_ignores_conditions_is_refused(s3, forgets_etags, told):
    forgetful = Forgetful(f"s3://{s3[1]}/shop", endpoint=s3[0])
    forgetful.forgets_etags = forgets_etags
    with pytest.raises(StoreError, match=told) as caught:
        check_bucket(forgetful, "_check/1")
    assert caught.value.code == Code.STORAGE_UNSUITABLE
    assert forgetful.list() == []


def test_an_object_that_is_there_already_is_no_probe(bucket):
    bucket.put("_check/1", b"of somebody else")
    with pytest.raises(StoreError, match="is there already"):
        check_bucket(bucket, "_check/1")
    assert bucket.read("_check/1")[0] == b"of somebody else"


class AnsweredLate(S3Bucket):
    """A store whose first answer to each put is lost: the client has asked again, and met its own object."""

    def put_if(self, key, content, etag):
        return super().put_if(key, content, etag) and super().put_if(key, content, etag)


def test_a_put_that_was_answered_late_is_no_fault_of_the_store(s3):
    late = AnsweredLate(f"s3://{s3[1]}/shop", endpoint=s3[0])
    check_bucket(late, "_check/1")
    assert late.list() == []
