import msgspec
import pytest

from endcap.core.errors import BundleError, Code, LedgerError
from endcap.core.manifest import FORMAT, BundleManifest, ModelEntry, SnapshotRef, parse_run_manifest, read_manifest

MANIFEST = BundleManifest(
    bundle_id="2016-09-15-0db11465ff5d",
    format=FORMAT,
    organisation="local",
    project="mugs",
    region="eu",
    through="2016-09-15",
    num_items=3,
    models=[ModelEntry("popular", "popular", "0123456789abcdef", vectors=False)],
    default_model="popular",
    snapshots=[SnapshotRef("events", 4, "aa", 100)],
    config_digest="bb",
    code_version="0.1.0",
    metrics={"popular": {"ndcg@10": 0.1, "mrr@20": None}},
    seed=7,
    files={"items.arrow": "cc"},
)


def changed(**fields):
    return msgspec.structs.replace(MANIFEST, **fields)


def test_a_manifest_is_read_as_it_was_written(tmp_path):
    (tmp_path / "manifest.json").write_bytes(msgspec.json.encode(MANIFEST))
    assert read_manifest(tmp_path) == MANIFEST


def test_the_run_its_time_and_its_numbering_are_not_in_the_digest():
    other = changed(
        bundle_id="b",
        content_digest="d",
        run_id="r",
        created_at_us=5,
        snapshots=[SnapshotRef("events", 5, "aa", 100)],
    )
    assert other.digest() == MANIFEST.digest()


@pytest.mark.parametrize(
    "fields",
    [
        {"through": "2016-09-16"},
        {"num_items": 4},
        {"models": []},
        {"snapshots": [SnapshotRef("events", 4, "ab", 100)]},
        {"metrics": {"popular": {"ndcg@10": 0.2}}},
        {"seed": 8},
        {"files": {"items.arrow": "cd"}},
        {"erasure": "erased(3)"},
        {"region": "us"},
        {"code_version": "0.2.0"},
    ],
)
def test_all_that_a_bundle_is_made_of_is_in_the_digest(fields):
    assert changed(**fields).digest() != MANIFEST.digest()


def test_a_digest_leaves_the_manifest_as_it_was():
    before = msgspec.json.encode(MANIFEST)
    MANIFEST.digest()
    assert msgspec.json.encode(MANIFEST) == before


def code_of(bundle):
    with pytest.raises(BundleError) as raised:
        read_manifest(bundle)
    return raised.value.code, str(raised.value)


def test_no_folder_and_a_folder_without_manifest_are_no_bundle(tmp_path):
    assert code_of(tmp_path / "none")[0] is Code.BUNDLE_MISSING
    assert code_of(tmp_path)[0] is Code.BUNDLE_MISSING
    (tmp_path / "file").write_text("")
    assert code_of(tmp_path / "file")[0] is Code.BUNDLE_MISSING


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 1}', b'{"format": "1"}', b"\xff\xfe{}"])
def test_a_manifest_that_cannot_be_read_is_damaged(tmp_path, content):
    (tmp_path / "manifest.json").write_bytes(content)
    assert code_of(tmp_path)[0] is Code.BUNDLE_DAMAGED


def test_a_cut_manifest_is_damaged_wherever_it_is_cut(tmp_path):
    whole = msgspec.json.encode(MANIFEST)
    for length in range(0, len(whole), 37):
        (tmp_path / "manifest.json").write_bytes(whole[:length])
        assert code_of(tmp_path)[0] is Code.BUNDLE_DAMAGED


def test_a_bundle_of_another_layout_is_told_by_its_layout_even_if_its_fields_have_other_names(tmp_path):
    (tmp_path / "manifest.json").write_bytes(b'{"format": 2, "renamed": true}')
    code, text = code_of(tmp_path)
    assert code is Code.BUNDLE_DAMAGED
    assert "layout 2, this version reads layout 1" in text


def test_a_damaged_manifest_of_a_run_is_told_with_its_place():
    with pytest.raises(LedgerError, match="damaged") as caught:
        parse_run_manifest(b'{"run_id": 3}', where="runs/r.json")
    assert (caught.value.code, caught.value.where) == (Code.RUN_DAMAGED, "runs/r.json")
