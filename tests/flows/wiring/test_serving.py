import json
import logging
import shutil
import subprocess
import sys

import pytest
import structlog
from litestar.testing import TestClient

from endcap.core.errors import BundleError, ConfigError
from endcap.flows.shop import find_shop
from endcap.flows.wiring.serving import SHOP_VARIABLE, create, open_recommender

HEAVY = {"torch", "pandas", "duckdb", "ibis", "deltalake", "pyspark", "sqlalchemy", "alembic", "scipy", "sklearn"}
LOADED = """
import json, sys
from endcap.flows.wiring.serving import create
create()
print(json.dumps(sorted(name for name in sys.modules if "." not in name)))
"""


@pytest.fixture
def served(own_shop, monkeypatch):
    """A shop that `create` is told to serve."""
    root = logging.getLogger()
    before = (root.handlers, root.level, structlog.get_config())
    monkeypatch.setenv(SHOP_VARIABLE, str(own_shop))
    yield own_shop
    root.handlers, config = before[0], before[2]
    root.setLevel(before[1])
    structlog.configure(**config)


def view(item_id, number):
    return {
        "event_name": "view_item", "user_pseudo_id": "c1", "event_id": f"{number:032x}", "items": [{"item_id": item_id}]
    }  # fmt: skip


def landed(root, kind):
    return [json.loads(line) for path in (root / "landing" / kind).iterdir() for line in path.read_text().splitlines()]


def test_the_server_of_a_real_shop_loads_nothing_that_only_training_needs(own_shop):
    environment = {SHOP_VARIABLE: str(own_shop), "PATH": "/usr/bin:/bin"}
    run = subprocess.run([sys.executable, "-c", LOADED], env=environment, capture_output=True, text=True, check=True)
    loaded = set(json.loads(run.stdout))
    assert {"faiss", "lmdb", "litestar", "pyarrow"} <= loaded
    assert loaded & HEAVY == set()


def test_the_server_and_python_give_the_same_answer(served):
    with TestClient(create()) as client:
        answer = client.post("/v1/recommend", json={"placement": "home", "user_pseudo_id": "c1", "n": 5}).json()
    slate = open_recommender(find_shop(served)).recommend(user_pseudo_id="c1", n=5)
    assert [item["item_id"] for item in answer["items"]] == [item.item_id for item in slate.items]
    assert answer["model_version"] == slate.model_version == find_shop(served).bundle_in_force()


def test_events_land_in_the_shop_and_count_at_once_also_for_python(served):
    before = open_recommender(find_shop(served)).recommend(user_pseudo_id="c1", n=3)
    looked_at = before.items[0].item_id
    with TestClient(create()) as client:
        assert client.post("/v1/events", json=[view(looked_at, 1)]).json()["accepted"] == 1
    (event,) = landed(served, "events")
    assert (event["event_name"], event["items"][0]["item_id"]) == ("view_item", looked_at)
    assert "c1" not in {str(value) for value in event.values()}
    after = open_recommender(find_shop(served)).recommend(user_pseudo_id="c1", n=3)
    assert looked_at not in [item.item_id for item in after.items]
    assert looked_at in {reason.item_id for item in after.items for reason in item.reasons}


def test_what_is_served_is_told_by_the_slates_and_not_by_the_audit_log(served, flow_of):
    before = flow_of(served).ledger.audit.rows()
    with TestClient(create()) as client:
        answer = client.post("/v1/recommend", json={"placement": "home", "user_pseudo_id": "c1", "n": 2}).json()
    (slate,) = landed(served, "slates")
    assert slate["recommendation_id"] == answer["recommendation_id"]
    assert flow_of(served).ledger.audit.rows() == before


def test_a_worker_that_finds_no_shop_or_no_key_says_so(served, monkeypatch):
    (served / "keys" / "user.key").chmod(0o644)
    with pytest.raises(ConfigError, match="can be read by others"):
        create()
    monkeypatch.setenv(SHOP_VARIABLE, str(served / "nowhere"))
    with pytest.raises(ConfigError, match="there is no shop here"):
        create()


def test_python_finds_no_bundle_where_there_is_none(served):
    shutil.rmtree(served / "bundles")
    with pytest.raises(BundleError, match="there is no bundle"):
        open_recommender(find_shop(served))


def test_asking_from_python_makes_no_state_of_visitors(served):
    open_recommender(find_shop(served)).recommend(user_pseudo_id="c1", n=1)
    assert not (served / "kv").exists()
