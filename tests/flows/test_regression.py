import shutil

import msgspec

from endcap.flows.regression import regression


def bundles(shop):
    return sorted(path.parent.name for path in (shop / "bundles").glob("*/manifest.json"))


def test_the_bundle_in_force_beside_itself_is_the_same(tmp_path, hand, flow_of):
    flow = flow_of(shutil.copytree(hand, tmp_path / "hand"), "2026-03-09")
    assert regression(flow, flow.shop.bundle_in_force()).verdict == "same"


def test_an_older_bundle_is_made_again_from_its_versions_and_asked_the_same_sessions(tmp_path, grown_shop, flow_of):
    shop = shutil.copytree(grown_shop, tmp_path / "tiny")
    old, new = bundles(shop)
    (shop / "bundles" / "current").write_text(old + "\n")
    flow = flow_of(shop, "2026-01-04")
    found = regression(flow, new)
    assert (found.old, found.new, found.split_day) == (old, new, "2026-01-04")
    assert found.found.cases > 0
    assert found.verdict == found.found.verdict
    kept = msgspec.json.decode((shop / "reports" / "regression.json").read_bytes())
    assert kept["found"]["measures"]["ndcg@10"]["ci"] == found.found.measures["ndcg@10"]["ci"]
    assert list(kept["found"]["slices"]) == ["untied", "cold_items", "cold_users"]
    for name, each in kept["found"]["slices"].items():
        assert (
            f"{name} ({each['cases']:,} steps): {each['verdict']}" in (shop / "reports" / "regression.txt").read_text()
        )


def test_without_the_old_versions_nothing_can_be_told(tmp_path, grown_shop, flow_of):
    shop = shutil.copytree(grown_shop, tmp_path / "tiny")
    old, new = bundles(shop)
    (shop / "bundles" / "current").write_text(old + "\n")
    for path in (shop / "lake" / "sequences").rglob("*.parquet"):
        path.unlink()
    found = regression(flow_of(shop, "2026-01-04"), new)
    assert found.verdict == "cannot tell"
    assert "files are gone" in found.why


def test_without_a_bundle_in_force_nothing_can_be_told(tmp_path, hand, flow_of):
    shop = shutil.copytree(hand, tmp_path / "hand")
    (new,) = bundles(shop)
    (shop / "bundles" / "current").unlink()
    found = regression(flow_of(shop, "2026-03-09"), new)
    assert (found.verdict, found.old) == ("cannot tell", "")
    assert "none in force" in found.text()
