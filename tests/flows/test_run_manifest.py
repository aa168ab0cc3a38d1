import json

import pytest

from endcap.core.errors import EndcapError
from endcap.core.version import __version__
from endcap.flows.init import init_shop
from endcap.flows.refresh import refresh
from endcap.flows.shop import find_shop
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    made = simulate(make_world("small", days=2, visitors=20, items=20), folder / "world", Popular())
    init_shop(folder / "shop", source=made.export)
    return find_shop(folder / "shop")


def manifests(shop):
    return {path.stem: json.loads(path.read_bytes()) for path in shop.runs.glob("*.json")}


def test_a_run_tells_what_it_was_given_did_and_left_behind_and_an_idle_one_nothing(shop):
    done = refresh(shop.root, verbs=("ingest", "sessionize"))
    told = manifests(shop)[done.run_id]
    steps = [attempt["step"] for attempt in told["attempts"]]
    assert steps == [
        "ingest", "logins", "identities", "catalogue", "mentions", "items", "quality", "sessions", "exposures",
    ]  # fmt: skip
    assert all(attempt["outcome"] == "done" and attempt["fingerprints"] for attempt in told["attempts"])
    sessions = told["attempts"][steps.index("sessions")]
    assert sessions["inputs"].keys() >= {f"events/{done.through}"}
    assert sessions["outputs"]["sessions"]["version"] == 0
    assert (told["outcome"], told["through"], told["bundle_id"]) == ("done", done.through, "")
    assert (told["organisation"], told["project"], told["region"]) == ("local", "shop", "local")
    assert told["settings"] == shop.config.plain()
    assert told["config_digest"] == shop.config.digest()
    assert told["code_version"] == __version__
    assert {"python", "duckdb", "torch"} <= set(told["versions"])
    idle = refresh(shop.root, verbs=("ingest", "sessionize"))
    assert idle.run_id not in manifests(shop)


def test_a_run_that_failed_says_where(shop):
    before = manifests(shop)
    feed = min((shop.source / "feeds").iterdir())
    text = feed.read_text()
    feed.write_text("nonsense\n")
    with pytest.raises(EndcapError):
        refresh(shop.root, verbs=("ingest",))
    feed.write_text(text)
    (name,) = set(manifests(shop)) - set(before)
    told = manifests(shop)[name]
    assert told["outcome"] == "failed"
    assert told["attempts"][-1]["outcome"] == "failed"
    assert told["attempts"][-1]["error_code"]
