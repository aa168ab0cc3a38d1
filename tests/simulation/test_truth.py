from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from endcap.simulation.catalogue import STRENGTHS, make_catalogue
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate
from endcap.simulation.stock import first_shelves, open_day
from endcap.simulation.tastes import make_laws, make_tastes
from endcap.simulation.truth import expected_of, morning_table, p_paid

WORLD = make_world("small", days=6, visitors=300, items=30, drift=0.2, account_share=0.6, p_cart=0.3)
TINY = make_world("stationary", items=10, places=3, attention=(0.5, 0.3, 0.1), p_remove=0.5, p_checkout=0.5, p_pay=0.4)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return simulate(WORLD, tmp_path_factory.mktemp("truth") / "shop", Popular())


@pytest.fixture(scope="module")
def tiny_day():
    goods = make_catalogue(TINY)
    tastes = make_tastes(TINY, goods)
    laws = make_laws(TINY, goods, tastes, 0)
    attraction = np.full((TINY.tastes + 1, 10), 0.2, np.float32)
    attraction[1, 4] = 0.4
    complements = np.tile(np.array([[1, 2, 3, 9]], np.int32), (10, 1))
    laws = replace(
        laws,
        attraction_KN=attraction,
        cart_KN=np.full((TINY.tastes + 1, 10), 0.25, np.float32),
        complements=complements,
        pull_strength=0.5,
    )
    return open_day(TINY, laws, first_shelves(TINY, tastes, laws), 0)


def test_what_a_list_is_expected_to_bring_by_hand(tiny_day):
    slates = np.array([[4, 1, 7], [4, 1, 7], [4, 1, -1]], np.int32)
    found = expected_of(TINY, tiny_day, np.array([0, 1, 1]), np.array([-1, 8, 8]), slates)
    # Attention .5, .3, .1; item 4 is liked by taste 1; item 1 goes with item 8 at the strongest share.
    pulled = 0.5 * STRENGTHS[0]
    clicks = [0.2 * 0.9, 0.5 * 0.4 + 0.3 * (0.2 + pulled) + 0.1 * 0.2, 0.5 * 0.4 + 0.3 * (0.2 + pulled)]
    np.testing.assert_allclose(found.clicks, clicks, rtol=1e-6)
    np.testing.assert_allclose(found.carts, np.array(clicks) * 0.25, rtol=1e-6)
    np.testing.assert_allclose(found.purchases, np.array(clicks) * 0.25 * 0.5 * 0.5 * 0.4, rtol=1e-6)


def test_what_is_sold_out_is_clicked_and_not_bought(tiny_day):
    sold_out = replace(tiny_day, in_stock=np.arange(10) != 4)
    found = expected_of(TINY, sold_out, np.array([0]), np.array([-1]), np.array([[4, 5, 6]], np.int32))
    assert found.clicks[0] == pytest.approx(0.18)
    assert found.carts[0] == pytest.approx(0.2 * 0.4 * 0.25)


def test_a_cart_is_paid_for_if_it_is_kept_and_brought_to_the_till_and_paid():
    assert p_paid(TINY) == pytest.approx(0.5 * 0.5 * 0.4)


def test_the_identity_map_has_every_cookie_and_customer_of_the_log_once(made):
    people = pq.read_table(made.truth / "visitors" / "visitors.parquet").to_pylist()
    cookies = [row[name] for row in people for name in ("cookie", "second_cookie") if row[name]]
    assert len(set(cookies)) == len(cookies)
    owner = {
        row[name]: row["visitor"] for row in people for name in ("cookie", "second_cookie", "user_id") if row[name]
    }
    pairs = set()
    for path in made.export.glob("events_*.parquet"):
        table = pq.read_table(path, columns=["user_pseudo_id", "user_id"])
        pairs |= {(row["user_pseudo_id"], row["user_id"]) for row in table.to_pylist()}
    assert all(owner[cookie] == owner[user_id] for cookie, user_id in pairs if user_id)
    assert {cookie for cookie, _ in pairs} <= owner.keys()
    both = {user_id for _, user_id in pairs if user_id}
    assert any(len({cookie for cookie, who in pairs if who == user_id}) == 2 for user_id in both)


def test_tastes_follow_from_the_first_and_the_drift(made):
    taste = pq.read_table(made.truth / "visitors" / "visitors.parquet")["first_taste"].to_numpy().copy()
    changed = 0
    for pages, drift in zip(
        sorted((made.truth / "pages").iterdir()), sorted((made.truth / "drift").iterdir()), strict=True
    ):
        new = pq.read_table(drift)
        taste[new["visitor"].to_numpy()] = new["taste"].to_numpy()
        changed += new.num_rows
        table = pq.read_table(pages)
        assert (taste[table["visitor"].to_numpy()] == table["taste"].to_numpy()).all()
    assert changed > 100


def test_pages_tell_of_lists_what_was_shown_and_of_items_nothing_more(made):
    for path in (made.truth / "pages").iterdir():
        for row in pq.read_table(path).to_pylist():
            assert (row["slate"] is not None) == (row["expected_clicks"] is not None) == row["is_list"]
            if row["is_list"]:
                assert 0 < row["expected_purchases"] < row["expected_carts"] < row["expected_clicks"] < 1 or (
                    row["expected_carts"] == 0
                )
                assert all(0 < each <= 1 for each in row["propensity"])
                assert row["place"] < 0 or row["slate"][row["place"]] == row["item"]


def test_a_morning_tells_stock_offer_and_what_is_popular(tiny_day):
    day = replace(tiny_day, offered=np.array([1, 3, 4]), popular=np.array([4, 1]))
    rows = morning_table(day, np.arange(10)).to_pydict()
    assert rows["pieces"] == list(range(10))
    assert rows["is_offered"] == [number in {1, 3, 4} for number in range(10)]
    assert rows["popular"] == [-1, 1, -1, -1, 0, -1, -1, -1, -1, -1]


def test_a_shock_is_in_the_drift_of_its_day(tmp_path):
    world = make_world("stationary", days=3, visitors=400, items=10, drift=0.0, shock_day="2026-01-02", shock_share=0.5)
    shocked = simulate(world, tmp_path / "shop", Popular())
    counts = [pq.read_table(path).num_rows for path in sorted((shocked.truth / "drift").iterdir())]
    assert (counts[0], counts[2]) == (0, 0)
    assert abs(counts[1] - 200) < 4 * 10  # four deviations of a fair coin thrown 400 times


def test_the_tastes_and_the_range_can_be_read_without_the_program(made):
    with np.load(made.truth / "tastes.npz", allow_pickle=False) as tastes:
        assert tastes["prior"].sum() == pytest.approx(1)
        assert {name: len(tastes[name]) for name in tastes.files} == dict.fromkeys(
            ("prior", "category_KC", "brand_KB", "price_K"), WORLD.tastes
        )
    goods = pq.read_table(made.truth / "catalogue.parquet").to_pylist()
    told = make_catalogue(WORLD)
    assert [row["item_id"] for row in goods] == told.item_ids.to_pylist()
    assert [row["complements"] for row in goods] == told.complements.tolist()
