import hashlib

import msgspec
import pytest

from endcap.core.errors import BundleError, Code, LedgerError, StoreError
from endcap.core.manifest import FORMAT, BundleManifest
from endcap.stores.adapters.bucket import S3Bucket
from endcap.stores.bundles import BucketOfBundles, FolderOfBundles


@pytest.fixture
def place_of(s3, tmp_path):
    """Open the bundles of one bucket on a machine of this name."""
    endpoint, bucket = s3
    return lambda name: BucketOfBundles(S3Bucket(f"s3://{bucket}/bundles", endpoint=endpoint), tmp_path / name)


@pytest.fixture
def bucket(s3):
    return S3Bucket(f"s3://{s3[1]}/bundles", endpoint=s3[0])


def write(folder, bundle_id, created_at_us=0):
    """Write a bundle of two files into a folder."""
    parts = {"items.arrow": bundle_id.encode(), "models/popular/a.npy": b"model"}
    files = {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}
    manifest = BundleManifest(
        bundle_id=bundle_id, format=FORMAT, organisation="o", project="p", region="r", through="2026-01-01",
        num_items=1, models=[], default_model="popular", snapshots=[], config_digest="", code_version="",
        metrics={}, seed=1, files=files, created_at_us=created_at_us,
    )  # fmt: skip
    parts["manifest.json"] = msgspec.json.encode(manifest)
    for name, content in parts.items():
        path = folder / bundle_id / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def deploy(place, folder, bundle_id, created_at_us=0):
    write(folder, bundle_id, created_at_us)
    place.look()
    place.publish(bundle_id)
    place.put_in_force(bundle_id)


def test_what_one_machine_puts_in_force_another_pulls_whole(place_of, tmp_path):
    assert place_of("server").pull() == ""
    deploy(place_of("maker"), tmp_path / "maker", "b1")
    server = place_of("server")
    assert server.pull() == "b1"
    assert (tmp_path / "server" / "current").read_text() == "b1\n"
    assert (tmp_path / "server" / "b1" / "models/popular/a.npy").read_bytes() == b"model"
    deploy(place_of("maker"), tmp_path / "maker", "b2")
    assert (server.pull(), server.pull()) == ("b2", "b2")


def test_of_two_deployers_at_once_the_second_is_told_of_the_first(place_of, tmp_path):
    first, second = place_of("one"), place_of("two")
    for place, folder, bundle_id in ((first, "one", "b1"), (second, "two", "b2")):
        write(tmp_path / folder, bundle_id)
        place.look()
        place.publish(bundle_id)
    first.put_in_force("b1")
    with pytest.raises(LedgerError, match="another deployer put the bundle b1 in force while b2") as caught:
        second.put_in_force("b2")
    assert caught.value.code == Code.BUNDLE_RACE
    assert place_of("server").pull() == "b1"
    second.look()
    second.put_in_force("b2")  # now it has been seen
    assert place_of("server").pull() == "b2"
    first.put_in_force("b2")  # it is in force already: no error, as after a put that was repeated


def test_a_bundle_that_was_torn_there_is_refused_and_the_copy_stays_in_force(place_of, bucket, tmp_path):
    deploy(place_of("maker"), tmp_path / "maker", "b1")
    server = place_of("server")
    server.pull()
    deploy(place_of("maker"), tmp_path / "maker", "b2")
    bucket.put("b2/items.arrow", b"torn")
    with pytest.raises(BundleError, match="has digest"):
        server.pull()
    assert (tmp_path / "server" / "current").read_text() == "b1\n"
    assert sorted(path.name for path in (tmp_path / "server").iterdir() if path.is_dir()) == ["b1"]
    bucket.remove(["b2/manifest.json"])
    with pytest.raises(BundleError, match="is not there"):
        server.pull()
    bucket.put("current", b"../../etc")
    with pytest.raises(BundleError, match="is no id"):
        server.pull()


def test_a_deployer_has_none_in_force_where_the_one_there_lacks_a_file_and_mends_it(place_of, bucket, tmp_path):
    maker = place_of("maker")
    deploy(maker, tmp_path / "maker", "b1")
    maker.confirm()
    assert FolderOfBundles(tmp_path / "maker").pull() == "b1"
    bucket.remove(["b1/items.arrow"])
    maker.confirm()
    assert FolderOfBundles(tmp_path / "maker").pull() == ""
    deploy(maker, tmp_path / "maker", "b1")
    assert place_of("server").pull() == "b1"


def test_a_copy_that_lacks_a_file_is_fetched_again(place_of, tmp_path):
    deploy(place_of("maker"), tmp_path / "maker", "b1")
    place_of("server").pull()
    (tmp_path / "server" / "b1" / "items.arrow").unlink()
    place_of("server").pull()
    assert (tmp_path / "server" / "b1" / "items.arrow").read_bytes() == b"b1"


def test_old_bundles_go_but_not_the_one_in_force_nor_what_was_touched(place_of, bucket, tmp_path):
    maker, far_future = place_of("maker"), 2**62
    for number in (1, 2, 3, 4):
        deploy(maker, tmp_path / "maker", f"b{number}", created_at_us=number)
    bucket.put("half/items.arrow", b"")
    maker.put_in_force("b4")
    place = place_of("other")  # without copies: it reads the manifests there
    place.look()
    write(tmp_path / "other", "b1", 1)
    place.put_in_force("b1")
    place.tidy(keep=2, dead_before_us=0)
    assert {each.key.split("/")[0] for each in bucket.list()} == {"b1", "b2", "b3", "b4", "current", "half"}
    place.tidy(keep=2, dead_before_us=far_future)
    assert {each.key.split("/")[0] for each in bucket.list()} == {"b1", "b3", "b4", "current"}


def test_a_disk_without_room_is_told_before_a_bundle_is_fetched(place_of, tmp_path, monkeypatch):
    deploy(place_of("maker"), tmp_path / "maker", "b1")
    monkeypatch.setattr("endcap.stores.local_files._SPARE", 10**18)
    with pytest.raises(StoreError) as caught:
        place_of("server").pull()
    assert caught.value.code == Code.DISK_FULL


def test_a_damaged_file_of_the_right_size_is_put_there_again(place_of, bucket, tmp_path):
    maker = place_of("maker")
    deploy(maker, tmp_path / "maker", "b1")
    bucket.put("b1/items.arrow", b"1b")
    maker.publish("b1")
    assert place_of("server").pull() == "b1"


def test_a_bundle_that_is_not_in_force_is_brought_and_what_is_none_is_not(place_of, tmp_path):
    for number, bundle_id in enumerate(("b1", "b2")):
        deploy(place_of("maker"), tmp_path / "maker", bundle_id, number)
    other = place_of("other")
    for bundle_id in ("b1", "b1", "b9", "../b1"):
        other.bring(bundle_id)
    assert sorted(path.name for path in (tmp_path / "other").iterdir() if path.is_dir()) == ["b1"]
    assert not (tmp_path / "other" / "current").exists()


def test_nothing_is_tidied_while_nobody_knows_what_is_in_force(place_of, bucket, tmp_path):
    for number, bundle_id in enumerate(("b1", "b2")):
        deploy(place_of("maker"), tmp_path / "maker", bundle_id, number)
    bucket.put("current", b"../../etc")
    place_of("maker").tidy(keep=1, dead_before_us=2**62)
    assert {each.key.split("/")[0] for each in bucket.list()} == {"b1", "b2", "current"}


def test_in_a_folder_what_is_made_is_there(tmp_path):
    place = FolderOfBundles(tmp_path)
    assert place.pull() == ""
    for step in (place.look, place.confirm):
        step()
    place.publish("b1")
    place.put_in_force("b1")
    place.tidy(keep=1, dead_before_us=2**62)
    assert place.pull() == "b1"


def test_the_manifests_of_all_bundles_there_are_told_with_those_that_are_here_alone(place_of, bucket, tmp_path):
    for bundle_id in ("b1", "b2"):
        deploy(place_of("maker"), tmp_path / "maker", bundle_id)
    write(tmp_path / "other", "held-back")
    assert sorted(each.bundle_id for each in place_of("other").manifests()) == ["b1", "b2", "held-back"]
    bucket.put("b1/manifest.json", b"{")
    with pytest.raises(BundleError, match="damaged"):
        place_of("other").manifests()
    assert [each.bundle_id for each in FolderOfBundles(tmp_path / "other").manifests()] == ["held-back"]
