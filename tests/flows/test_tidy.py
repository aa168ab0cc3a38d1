import shutil

import msgspec
import pytest

from endcap.core.clock import fixed_clock
from endcap.core.manifest import read_manifest
from endcap.flows.refresh import refresh
from endcap.flows.tidy import tidy

LATER = fixed_clock("2100-01-01")  # all that lies on disk is older than a day then


@pytest.fixture
def many(own_shop, manifest_of):
    """The tiny shop with twelve older bundles beside the one in force."""
    bundle = manifest_of(own_shop)
    for number in range(12):
        other = msgspec.structs.replace(bundle, bundle_id=f"old-{number:02}", created_at_us=number)
        shutil.copytree(own_shop / "bundles" / bundle.bundle_id, own_shop / "bundles" / other.bundle_id)
        (own_shop / "bundles" / other.bundle_id / "manifest.json").write_bytes(msgspec.json.encode(other))
    return own_shop


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def test_the_latest_bundles_and_the_one_in_force_stay(many, flow_of, manifest_of):
    in_force = manifest_of(many).bundle_id
    (many / "bundles" / "current").write_text("old-01\n")
    tidy(flow_of(many, clock=LATER))
    kept = [in_force, "old-01", *(f"old-{number:02}" for number in range(3, 12))]
    assert names(many / "bundles") == sorted(kept)
    assert read_manifest(many / "bundles" / in_force).bundle_id == in_force


def test_the_bundle_that_was_made_last_stays_though_another_is_in_force(many, flow_of, manifest_of):
    made = manifest_of(many)
    (many / "bundles" / made.bundle_id / "manifest.json").write_bytes(
        msgspec.json.encode(msgspec.structs.replace(made, created_at_us=-1))
    )
    (many / "bundles" / "current").write_text("old-11\n")
    tidy(flow_of(many, clock=LATER))
    assert made.bundle_id in names(many / "bundles")


def test_replaced_models_and_old_scratch_go_and_what_the_ledger_knows_stays(own_shop, flow_of):
    for place in ("models/popular/0123456789abcdef", "models/gone_model/0123456789abcdef", "scratch/train-dead-run"):
        (own_shop / place).mkdir(parents=True)
    used = flow_of(own_shop).ledger.outputs("train")
    tidy(flow_of(own_shop, clock=LATER))
    for name, output in used.items():
        assert names(own_shop / "models" / name) == [output["version"]]
    assert names(own_shop / "models" / "gone_model") == []
    assert names(own_shop / "scratch") == []


def test_a_model_that_is_pinned_for_hard_negatives_stays(own_shop, flow_of):
    for version in ("0123456789abcdef", "fedcba9876543210"):
        (own_shop / "models" / "popular" / version).mkdir()
    told = (own_shop / "endcap.toml").read_text()
    pinned = '[[features.negatives]]\nkind = "hard"\nmodel = "popular"\nversion = "fedcba9876543210"\n'
    (own_shop / "endcap.toml").write_text(told + pinned)
    flow = flow_of(own_shop, clock=LATER)
    tidy(flow)
    fitted = flow.ledger.outputs("train")["popular"]["version"]
    assert names(own_shop / "models" / "popular") == sorted([fitted, "fedcba9876543210"])


def test_what_another_run_may_be_about_to_use_stays(many, morning):
    (many / "scratch" / "train-living-run").mkdir(parents=True, exist_ok=True)
    refresh(many, clock=morning)
    assert names(many / "scratch") == ["train-living-run"]
    assert len(names(many / "bundles")) == 13
