import json

import pytest

from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate
from endcap.simulation.snowplow import SNOWPLOW_TYPES

VENDOR = "com_snowplowanalytics_snowplow_ecommerce_"


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    world = make_world("small", days=3, visitors=200, items=30, p_cart=0.4, p_return=0.8)
    made = simulate(world, tmp_path_factory.mktemp("snowplow") / "shop", Popular(), form="snowplow")
    return [json.loads(line) for path in sorted(made.export.glob("*.jsonl")) for line in path.read_text().splitlines()]


def test_actions_have_snowplows_types_and_their_entities(told):
    actions = [event[f"unstruct_event_{VENDOR}snowplow_ecommerce_action_1"]["type"] for event in told]
    assert set(actions) == set(SNOWPLOW_TYPES.values())
    for event, action in zip(told, actions, strict=True):
        assert all(product["id"] for product in event[f"contexts_{VENDOR}product_1"])
        for name in ("transaction", "refund"):
            assert (f"contexts_{VENDOR}{name}_1" in event) == (action == name)
    assert len({event["event_id"] for event in told}) == len(told)


def test_lists_have_a_name_and_positions(told):
    for event in told:
        action = event[f"unstruct_event_{VENDOR}snowplow_ecommerce_action_1"]
        if action["type"] == "list_view":
            assert action["name"] in {"Recommended", "Related Products"}
            places = [product["position"] for product in event[f"contexts_{VENDOR}product_1"]]
            assert places == list(range(1, len(places) + 1))
