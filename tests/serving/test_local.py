import pytest

from endcap.core.errors import BundleError, Code, RequestError
from endcap.core.ids import user_key
from endcap.core.landed import LandedEvent, LandedItem
from endcap.serving.config import ServingConfig
from endcap.serving.local import LocalRecommender
from endcap.serving.state import VisitorState


def opened(shop, kv=None):
    return LocalRecommender.open(
        bundles=shop.bundles,
        kv=kv,
        config=ServingConfig(),
        user_key=shop.key,
        load_scorer=shop.load_scorer,
        clock=shop.clock,
        new_id=shop.ids(),
    )


def letters(slate):
    return "".join(item.item_id for item in slate.items)


def test_a_slate_comes_without_a_server(shop):
    key = user_key(user_id="u", user_pseudo_id=None, key=shop.key)
    shop.bundle(histories={key: "G"})
    recommender = opened(shop)
    assert letters(recommender.recommend(user_id="u", n=1)) == "H"
    assert letters(recommender.recommend(user_id="v", n=2)) == "AB"
    assert letters(recommender.recommend(placement="product", item_ids=["B"], n=1, exclude=["A"])) == "D"


def test_it_sees_what_the_server_knows_of_a_visitor(shop):
    shop.bundle()
    kv = shop.kv()
    key = user_key(user_id="u", user_pseudo_id=None, key=shop.key)
    event = LandedEvent(
        event_id="e", event_name="view_item", at_us=1, received_us=1, user_key=key, items=(LandedItem(item_id="G"),)
    )
    VisitorState(kv, events=["view_item"], length=50, num_rows=2000).record([event])
    assert letters(opened(shop, kv).recommend(user_id="u", n=1)) == "H"
    kv.close()


def test_a_new_bundle_is_taken_up_with_the_next_question(shop):
    first = shop.bundle()
    recommender = opened(shop)
    assert recommender.recommend().model_version == first
    second = shop.bundle(sessions=["HG"])
    assert recommender.recommend().model_version == second


def test_errors_say_what_to_do(shop):
    with pytest.raises(BundleError):
        opened(shop)
    shop.bundle()
    with pytest.raises(RequestError) as caught:
        opened(shop).recommend(placement="hom")
    assert caught.value.code is Code.PLACEMENT_UNKNOWN
