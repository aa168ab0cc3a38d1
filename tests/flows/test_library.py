import pyarrow.parquet as pq
import pytest

import endcap
from endcap.core.errors import BundleError, Code, ConfigError, RequestError
from endcap.core.ids import user_key
from endcap.flows.shop import find_shop


def audit_of(flow_of, root):
    return [(row["action"], row["resource"]) for row in flow_of(root).ledger.audit.rows(limit=200)]


def known_cookie(root):
    """The cookie that looked at an item last of all."""
    events = pq.read_table(root / "export" / "events_20260103.parquet").to_pylist()
    return [event for event in events if event["event_name"] == "view_item"][-1]["user_pseudo_id"]


def test_a_shop_recommends_from_its_bundle_in_force(tiny_shop, manifest_of):
    slate = endcap.open(str(tiny_shop)).recommend(n=5)
    assert slate.model_version == manifest_of(tiny_shop).bundle_id
    assert [item.place for item in slate.items] == [1, 2, 3, 4, 5]
    assert len({item.item_id for item in slate.items}) == 5
    assert all(item.title and item.availability == "in_stock" for item in slate.items)
    assert not (tiny_shop / "kv").exists()  # asking makes no state of visitors


def test_who_is_known_gets_what_goes_with_their_history(own_shop):
    shop = endcap.open(own_shop)
    known = shop.recommend(user_pseudo_id=known_cookie(own_shop), n=5)
    unknown = shop.recommend(user_pseudo_id="nobody ever saw this one", n=5)
    assert {item.source for item in unknown.items} == {"popular"}
    assert "item_markov" in {item.source for item in known.items}
    assert [item.item_id for item in unknown.items] == [item.item_id for item in shop.recommend(n=5).items]


def test_items_looked_at_and_items_not_wanted_are_left_out(tiny_shop):
    shop = endcap.open(tiny_shop)
    first, second, third = (item.item_id for item in shop.recommend(n=3).items)
    found = [
        item.item_id for item in shop.recommend(item_ids=[first], placement="product", n=40, exclude=[second]).items
    ]
    assert {first, second}.isdisjoint(found)
    assert third in found


def test_looking_at_what_a_shopper_is_shown_is_written_down_under_the_hash(own_shop, flow_of):
    endcap.open(own_shop).recommend(user_id="ann@shop.example", n=1)
    who = user_key(user_id="ann@shop.example", user_pseudo_id=None, key=find_shop(own_shop).user_key())
    assert audit_of(flow_of, own_shop)[0] == ("personal.read", f"user/{who}")


def test_looking_at_what_everybody_is_shown_is_not_written_down(own_shop, flow_of):
    before = audit_of(flow_of, own_shop)
    endcap.open(own_shop).recommend(n=1)
    assert audit_of(flow_of, own_shop) == before


def test_a_refresh_from_python_is_answered_by_at_once_here_and_elsewhere(own_shop):
    shop, another = endcap.open(own_shop), endcap.open(own_shop)
    old = another.recommend(n=1).model_version
    told = shop.refresh(through="2026-01-02")
    assert told.through == "2026-01-02"
    assert shop.recommend(n=1).model_version == told.bundle_id != old
    assert another.recommend(n=1).model_version == told.bundle_id


def test_a_shop_without_a_bundle_says_what_to_do(tmp_path, make_hand_made):
    shop = endcap.open(make_hand_made(tmp_path / "hand", {}))
    with pytest.raises(BundleError) as caught:
        shop.recommend()
    assert (caught.value.code, caught.value.fix) == (Code.BUNDLE_MISSING, "run `endcap refresh SHOP`")


def test_what_cannot_be_answered_is_refused(tiny_shop, tmp_path):
    shop = endcap.open(tiny_shop)
    with pytest.raises(RequestError, match=r"n is 101, outside of 1\.\.100"):
        shop.recommend(n=101)
    with pytest.raises(RequestError, match="did you mean 'home'"):
        shop.recommend(placement="hom")
    with pytest.raises(RequestError, match="recommends by items, and none is named"):
        shop.recommend(placement="product")
    with pytest.raises(ConfigError, match="there is no shop here"):
        endcap.open(tmp_path)
