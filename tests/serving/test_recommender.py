import msgspec
import numpy as np
import pytest

from endcap.core.errors import Code, RequestError, StoreError
from endcap.core.landed import LandedEvent, LandedItem
from endcap.features.visitor_rows import PastRows, pack
from endcap.models.item_markov_scorer import ItemMarkovScorer
from endcap.serving.config import ServingConfig
from endcap.serving.current import CurrentBundle
from endcap.serving.meters import Meters
from endcap.serving.recommender import Recommender, Visitor
from endcap.serving.state import VisitorState

USER, DEVICE, OTHER = "a" * 32, "b" * 32, "c" * 32


@pytest.fixture
def make(shop):
    held = []

    def made(*, histories=None, instants=None, tells_instants=True, owners=None, visitors=None, **settings):
        shop.bundle(
            histories=histories, instants=instants, tells_instants=tells_instants, owners=owners, visitors=visitors
        )
        kv, meters, config = shop.kv(), Meters(), ServingConfig(**settings)
        held.append(kv)
        current = CurrentBundle(shop.bundles, shop.load_scorer, clock=shop.clock, meters=meters)
        current.look()
        state = VisitorState(
            kv, events=config.history_events, length=config.history_length, num_rows=config.feature_rows
        )
        recommender = Recommender(current, state, config=config, new_id=shop.ids(), meters=meters, clock=shop.clock)
        recommender.state, recommender.meters = state, meters
        return recommender

    yield made
    for kv in held:
        kv.close()


def letters(found):
    return "".join(item.item_id for item in found.slate.items)


def view(item, at_us=1, user=USER):
    return LandedEvent(
        event_id=f"{at_us:032x}",
        event_name="view_item",
        at_us=at_us,
        received_us=at_us,
        user_key=user,
        items=(LandedItem(item_id=item),),
    )


def test_the_bundles_history_speaks_until_something_new_happens(make):
    recommender = make(histories={USER: "G"})
    assert letters(recommender.recommend(Visitor(USER), placement="home", n=1)) == "H"
    recommender.state.record([view("B")])
    found = recommender.recommend(Visitor(USER), placement="home", n=1)
    assert (letters(found), found.num_history) == ("D", 2)


def test_a_user_without_a_history_has_that_of_the_device(make):
    recommender = make(histories={DEVICE: "G"})
    assert letters(recommender.recommend(Visitor(USER, DEVICE), placement="home", n=1)) == "H"
    recommender.state.record([view("B")])
    assert letters(recommender.recommend(Visitor(USER, DEVICE), placement="home", n=1)) == "D"


def test_who_is_not_logged_in_on_his_own_device_is_known_by_what_he_did_as_a_user(make):
    told = make(histories={USER: ["A", "B"]})
    known = make(histories={USER: ["A", "B"]}, owners={DEVICE: USER})
    as_user = letters(known.recommend(Visitor(USER, DEVICE), placement="home", n=3))
    assert letters(known.recommend(Visitor(DEVICE, DEVICE), placement="home", n=3)) == as_user
    assert letters(told.recommend(Visitor(DEVICE, DEVICE), placement="home", n=3)) != as_user
    known.state.record([view("D", 1), view("E", 2, user=DEVICE)])
    for visitor in (Visitor(DEVICE, DEVICE), Visitor(USER, DEVICE)):
        assert known.recommend(visitor, placement="home", n=3).num_history == 4
    assert known.recommend(Visitor(USER), placement="home", n=3).num_history == 3


def test_what_one_user_did_is_never_shown_to_another_who_logs_in_on_the_same_device(make):
    recommender = make(histories={USER: ["A", "B"], DEVICE: ["C"]}, owners={DEVICE: USER})
    recommender.state.record([view("D", 1, user=DEVICE)])
    assert recommender.recommend(Visitor(OTHER, DEVICE), placement="home", n=3).num_history == 0


def test_what_the_bundle_knows_of_a_user_counts_once(make):
    """B was seen without a login, so the live state has it under the device; the tables have made it the user's."""
    rows = pack([view(item, at_us) for at_us, item in enumerate("ABC", 1)])
    past = PastRows.of_users([USER], np.array([0, 3]), rows.rows, most=9, since_us=0, gap_us=1)
    recommender = make(
        histories={USER: ["A", "B", "C"]}, instants={USER: [1, 2, 3]}, owners={DEVICE: USER}, visitors=past
    )
    recommender.state.record([view("A", 1), view("B", 2, user=DEVICE), view("C", 3), view("D", 4, user=DEVICE)])
    assert recommender.recommend(Visitor(DEVICE, DEVICE), placement="home", n=3).num_history == 4


def test_what_another_worker_took_in_and_the_bundle_missed_is_not_lost(make):
    rows = pack([view("A", 1), view("C", 3)])
    past = PastRows.of_users([USER], np.array([0, 2]), rows.rows, most=9, since_us=0, gap_us=1)
    recommender = make(histories={USER: ["A", "C"]}, instants={USER: [1, 3]}, visitors=past)
    recommender.state.record([view("A", 1), view("B", 2), view("C", 3)])
    found = recommender.recommend(Visitor(USER), placement="home", n=3)
    assert found.num_history == 3
    assert "C" not in letters(found)  # it is what the visitor looked at last


def test_items_looked_at_are_the_newest_history_at_home(make):
    found = make(histories={USER: "D"}).recommend(Visitor(USER), placement="home", item_ids=["G"], n=1)
    assert letters(found) == "H"


def test_models_are_asked_with_what_was_done_and_when_and_the_page_s_item_is_viewed_now(make, shop, monkeypatch):
    asked = []

    def score(_self, queries):
        asked.append([queries.items.tolist(), queries.events.tolist(), queries.at_us.tolist()])
        return np.zeros((len(queries), 8), np.float32)

    recommender = make(histories={USER: "AB"}, instants={USER: [3, 5]})
    recommender.state.record([msgspec.structs.replace(view("B", 7), event_name="purchase")])
    monkeypatch.setattr(ItemMarkovScorer, "score", score)
    recommender.recommend(Visitor(USER), placement="home", n=1)
    recommender.recommend(Visitor(USER), placement="home", item_ids=["C"], n=1)
    recommender.recommend(Visitor(USER), placement="product", item_ids=["C"], n=1)
    now_us = shop.clock()
    assert asked == [
        [[0, 1, 1], [1, 1, 3], [3, 5, 7]],
        [[0, 1, 1, 2], [1, 1, 3, 1], [3, 5, 7, now_us]],
        [[2], [1], [now_us]],
    ]


def test_a_bundle_of_an_earlier_version_is_answered_from_until_the_next_one_comes(make):
    recommender = make(histories={USER: "G"}, tells_instants=False)
    assert letters(recommender.recommend(Visitor(USER), placement="home", n=1)) == "H"
    recommender.state.record([view("G", 1), view("B", 2)])
    found = recommender.recommend(Visitor(USER), placement="home", n=1)
    assert (letters(found), found.num_history) == ("D", 2)


def test_the_asked_items_are_never_in_the_slate(make):
    recommender = make()
    for placement in ("home", "product"):
        for item in "ABCDEFGH":
            assert item not in letters(recommender.recommend(Visitor(), placement=placement, item_ids=[item], n=8))


def test_an_item_that_nobody_knows_is_answered_with_less(make):
    recommender = make(histories={USER: "G"})
    found = recommender.recommend(Visitor(USER), placement="product", item_ids=["new"], n=2)
    assert found.slate.fallback == "item_unknown"
    assert letters(found)[0] == "H"
    assert letters(recommender.recommend(Visitor(), placement="product", item_ids=["new"], n=2)) == "AB"


def test_seen_items_are_left_out_where_the_placement_says_so(make):
    placements = {"home": {"drop_seen": True}}
    found = make(histories={USER: "AB"}, placements=placements).recommend(Visitor(USER), placement="home", n=8)
    assert set(letters(found)) == set("CDEGH")


def test_a_dead_store_costs_the_live_state_and_nothing_else(make, monkeypatch):
    recommender = make(histories={USER: "G"})

    def fail(_self, _key):
        raise StoreError("gone", fix="look", code=Code.STORE_UNUSABLE)

    monkeypatch.setattr(VisitorState, "elements", fail)
    found = recommender.recommend(Visitor(USER), placement="home", n=1)
    assert (letters(found), found.slate.fallback) == ("H", "state_unavailable")
    assert 'endcap_fallback_total{reason="state_unavailable"} 1.0' in recommender.meters.text().decode()


def test_damaged_histories_cost_themselves_and_nothing_else(make, monkeypatch):
    recommender = make()
    recommender.state.record([view("G")])

    def fail(_self, _key):
        raise OSError("bad sector")

    monkeypatch.setattr("endcap.features.online.OnlineFeatures.history", fail)
    found = recommender.recommend(Visitor(USER), placement="home", n=1)
    assert (letters(found), found.slate.fallback) == ("H", "history_unavailable")


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ({"placement": "basket"}, Code.PLACEMENT_UNKNOWN),
        ({"placement": "home", "n": 0}, Code.SLATE_SIZE),
        ({"placement": "home", "n": 101}, Code.SLATE_SIZE),
        ({"placement": "product"}, Code.ITEMS_MISSING),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(make, question, code):
    with pytest.raises(RequestError) as caught:
        make().recommend(Visitor(), **question)
    assert caught.value.code is code
