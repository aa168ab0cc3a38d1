import pytest

from endcap.stores.adapters.bucket import S3Bucket
from endcap.stores.runs import BucketOfRuns, FolderOfRuns


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.slow)])
def place(request, tmp_path):
    if request.param == "folder":
        return FolderOfRuns(tmp_path / "runs")
    endpoint, bucket = request.getfixturevalue("s3")
    return BucketOfRuns(S3Bucket(f"s3://{bucket}/lake/_runs", endpoint=endpoint))


def test_manifests_are_found_by_their_names_and_nothing_else_is(place):
    assert (place.names(), place.read("a"), place.read_all()) == ([], None, {})
    place.put("b", b"2")
    place.put("a", b"0")
    place.put("a", b"1")
    assert place.names() == ["a", "b"]
    assert (place.read("a"), place.read("c"), place.read("../runs/a")) == (b"1", None, None)
    assert place.read_all() == {"a": b"1", "b": b"2"}
    assert "runs" in place.where
