import json

import pytest

from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate
from endcap.simulation.vertex import VERTEX_TYPES


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    world = make_world("small", days=2, visitors=150, items=30, p_cart=0.4)
    made = simulate(world, tmp_path_factory.mktemp("vertex") / "shop", Popular(), form="vertex")
    return [json.loads(line) for path in sorted(made.export.glob("*.jsonl")) for line in path.read_text().splitlines()]


def test_events_have_googles_types_and_an_order_its_transaction(told):
    assert {event["eventType"] for event in told} == set(VERTEX_TYPES.values())
    for event in told:
        assert ("purchaseTransaction" in event) == (event["eventType"] == "purchase-complete")
        assert event["eventTime"].endswith("Z")
        assert event["visitorId"].isdigit()
    orders = [event["purchaseTransaction"] for event in told if event["eventType"] == "purchase-complete"]
    assert all(order["revenue"] > 4.95 and order["currencyCode"] == "USD" for order in orders)


def test_lists_name_their_products_in_order_and_the_token_that_views_carry_on(told):
    lists = [event for event in told if event["eventType"] == "home-page-view"]
    assert all(len(event["productDetails"]) == 20 and event["attributionToken"] for event in lists)
    assert not any(None in event.values() for event in told)
