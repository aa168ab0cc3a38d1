"""A shop of mugs and pens, to whose catalogue something is added after its models were fitted.

Each of 24 visitors views three mugs or three pens; M1 and P1 are seen by the most.
"""

import shutil

import numpy as np
import pytest

from endcap.core.clock import fixed_clock
from endcap.core.errors import Code, ModelError
from endcap.core.landed import LandedEvent, LandedItem
from endcap.core.sequences import Catalogue, Queries
from endcap.flows.fitted import is_of, open_for, save_for
from endcap.flows.refresh import KEEPING_MODELS, refresh
from endcap.flows.shop import find_shop
from endcap.models.item_markov import ItemMarkov
from endcap.models.other_items import OtherItems
from endcap.models.scorers import load_scorer
from endcap.serving.bundle import open_bundle
from endcap.serving.config import ServingConfig
from endcap.serving.current import CurrentBundle
from endcap.serving.meters import Meters
from endcap.serving.recommender import Recommender, Visitor
from endcap.serving.state import VisitorState
from endcap.stores.adapters.lmdb import LmdbKeyValues
from endcap.testing.worlds import planted_catalogue, planted_sequences

NOON = fixed_clock("2026-03-03T12:00:00")
BEFORE_NOON_US = 60_000_000
MUGS, PENS = [f"M{number}" for number in range(1, 7)], [f"P{number}" for number in range(1, 7)]


def feed(root, items):
    category = {"M": "Kitchen > Mugs", "P": "Office > Pens"}
    lines = [f"{item}\tThing {item}\t5 USD\t{category[item[0]]}" for item in items]
    text = "\n".join(["id\ttitle\tprice\tproduct_type", *lines]) + "\n"
    (root / "export" / "feed.tsv").write_text(text)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, make_hand_made):
    """That shop, refreshed at noon of its third day; not to be changed."""
    days = {}
    for day in (1, 2, 3):
        lines = []
        for number in range(8):
            things = MUGS if number % 2 else PENS
            walk = [things[0], things[1 + number // 2], things[1 + (number // 2 + day) % 5]]
            lines += [
                f"{8 + number // 4}:{10 + place} d{day}u{number} view_item {item}" for place, item in enumerate(walk)
            ]
        days[f"2026-03-0{day}"] = "\n".join(lines)
    root = make_hand_made(tmp_path_factory.mktemp("cold") / "cold", days)
    text = (root / "endcap.toml").read_text()
    text = text.replace('["popular", "item_markov"]', '["popular", "item_markov", "two_tower"]\ndefault = "two_tower"')
    text += '[models.two_tower]\ndim = 8\nepochs = 30\n[events.catalogue]\nkind = "merchant"\nfile = "feed.tsv"\n'
    (root / "endcap.toml").write_text(text)
    feed(root, MUGS + PENS)
    refresh(root, clock=NOON)
    return root


@pytest.fixture
def shop(tmp_path, fitted):
    return shutil.copytree(fitted, tmp_path / "cold")


@pytest.fixture
def ask(tmp_path):
    """Ask the bundle in force for a home slate, as a visitor who has just viewed some items."""
    kv = LmdbKeyValues(tmp_path / "kv", size_mb=8)
    numbers = iter(range(100))

    def asked(root, viewed, n=5):
        meters, config = Meters(), ServingConfig()
        current = CurrentBundle(root / "bundles", load_scorer, clock=NOON, meters=meters)
        current.look()
        state = VisitorState(kv, events=config.history_events, length=50, num_rows=100)
        key = f"{next(numbers):032x}"
        at_us = NOON() - BEFORE_NOON_US
        state.record(
            [
                LandedEvent(
                    event_id=key, event_name="view_item", at_us=at_us, user_key=key, items=(LandedItem(item_id=item),)
                )
                for item in viewed
            ]
        )
        recommender = Recommender(current, state, config=config, new_id=lambda: "1", meters=meters, clock=NOON)
        return [item.item_id for item in recommender.recommend(Visitor(key, key), placement="home", n=n).slate.items]

    yield asked
    kv.close()


def versions(flow_of, root):
    return {name: output["version"] for name, output in flow_of(root).ledger.outputs("train").items()}


def test_an_item_launched_today_is_found_by_its_content_without_fitting_anything(shop, ask, flow_of):
    before, old = versions(flow_of, shop), find_shop(shop).bundle_in_force()
    feed(shop, ["M0", *MUGS, "P0", *PENS])
    told = refresh(shop, verbs=KEEPING_MODELS, clock=NOON)
    assert "train" not in [report.step for report in told.steps]
    assert versions(flow_of, shop) == before
    assert told.bundle_id != old
    bundle = open_bundle(shop / "bundles" / told.bundle_id, load_scorer)
    assert len(bundle.items) == 14
    assert bundle.recall["two_tower"] == 1.0
    assert "M0" in ask(shop, ["M2"], n=6)
    assert "P0" in ask(shop, ["P2"], n=6)
    assert not {"M0", "P0"} & set(ask(shop, [], n=6))


def test_models_that_know_no_content_go_on_with_the_items_that_they_know(shop, flow_of):
    feed(shop, ["M0", *MUGS, *PENS])
    told = refresh(shop, verbs=KEEPING_MODELS, clock=NOON)
    bundle = open_bundle(shop / "bundles" / told.bundle_id, load_scorer)
    model = load_scorer(shop / "models" / "item_markov" / versions(flow_of, shop)["item_markov"])
    known = [bundle.items.number(item) for item in MUGS + PENS]
    number = bundle.items.number("M1")
    scores_N = bundle.models["item_markov"].score(Queries.of([[number]]))[0]
    assert scores_N[known].tolist() == model.score(Queries.of([[0]]))[0].tolist()
    assert scores_N[bundle.items.number("M0")] == scores_N.min()
    assert "item_markov" in bundle.speakers


def test_the_next_whole_refresh_fits_on_the_new_items_too(shop, flow_of):
    feed(shop, ["M0", *MUGS, *PENS])
    refresh(shop, verbs=KEEPING_MODELS, clock=NOON)
    before = versions(flow_of, shop)
    refresh(shop, clock=NOON)
    assert all(version != before[name] for name, version in versions(flow_of, shop).items())
    assert refresh(shop, verbs=KEEPING_MODELS, clock=NOON).bundle_id == find_shop(shop).bundle_in_force()


def test_one_click_makes_another_list_than_the_popular_one_and_another_click_another(fitted, ask):
    nobody, mug, pen = (ask(fitted, viewed) for viewed in ([], ["M3"], ["P3"]))
    assert {"M1", "P1"} == set(nobody[:2])
    assert {item[0] for item in mug[:3]} == {"M"}
    assert {item[0] for item in pen[:3]} == {"P"}
    assert len({tuple(each) for each in (nobody, mug, pen)}) == 3


def test_without_fitted_models_none_can_be_kept(tmp_path, make_hand_made):
    root = make_hand_made(tmp_path / "new", {"2026-03-01": "10:00 u1 view_item A"})
    with pytest.raises(ModelError, match="no model has been fitted yet") as caught:
        refresh(root, verbs=KEEPING_MODELS, clock=NOON)
    assert caught.value.code is Code.MODEL_NOT_FITTED


def test_a_model_is_opened_as_it_is_for_its_own_items_and_under_other_numbers_for_others(tmp_path):
    catalogue = planted_catalogue()
    model = ItemMarkov().fit(planted_sequences(), catalogue, seed=1)
    save_for(model, tmp_path, catalogue)
    other = Catalogue(("0-new", *catalogue.item_ids))
    assert (is_of(tmp_path, catalogue), is_of(tmp_path, other)) == (True, False)
    assert open_for(tmp_path, catalogue).kind == "item_markov"
    found = open_for(tmp_path, other)
    assert isinstance(found, OtherItems)
    assert found.to_own_N.tolist() == [-1, *range(12)]
    (tmp_path / "items.json").unlink()  # an earlier version told no items
    assert is_of(tmp_path, other)
    assert np.array_equal(open_for(tmp_path, other).score(Queries.of([[3]])), model.score(Queries.of([[3]])))
