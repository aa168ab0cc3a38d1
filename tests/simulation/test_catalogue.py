import numpy as np
import pytest

from endcap.simulation.catalogue import NUM_CATEGORIES, make_range


@pytest.fixture(scope="module")
def goods():
    return make_range(1_500, np.random.default_rng(0))


def test_ids_are_ascending_and_different(goods):
    assert goods.item_ids == sorted(set(goods.item_ids))


def test_titles_are_different_even_when_the_words_of_a_category_are_used_up(goods):
    assert len(set(goods.titles)) == 1_500
    assert any(title.endswith(" No. 2") for title in goods.titles)


def test_a_title_has_colour_material_and_noun_of_its_category(goods):
    for title, category in zip(goods.titles, goods.categories, strict=True):
        if category == "Apparel/Hats":
            assert title.removesuffix(" No. 2").split(" ", 2)[1:] in (
                [material, noun]
                for material in ("Wool", "Twill", "Corduroy")
                for noun in ("Cap", "Beanie", "Bucket Hat")
            )


def test_prices_are_positive_and_a_few_are_missing_from_the_feed(goods):
    assert (goods.price_minor > 0).all()
    assert 2 <= (~goods.is_priced).sum() <= 50


def test_a_few_items_are_out_of_stock(goods):
    assert 2 <= (~goods.in_stock).sum() <= 50


def test_an_item_leads_to_two_of_the_next_category_and_one_of_its_own(goods):
    rows, columns = np.nonzero(goods.follows)
    steps = (goods.category_of[columns] - goods.category_of[rows]) % NUM_CATEGORIES
    assert set(steps.tolist()) == {0, 1}
    assert (np.bincount(rows, steps == 1) == 2).all()
    assert (np.bincount(rows, steps == 0) == 1).all()


def test_no_item_leads_to_itself_in_the_smallest_range():
    goods = make_range(10, np.random.default_rng(3))
    assert (np.diag(goods.follows) == 0).all()
    assert goods.follows.max() == 1
