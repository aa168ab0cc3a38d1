import numpy as np

from endcap.core.sequences import Catalogue
from endcap.models.two_tower_content import content_features, content_names, known_features


def features(catalogue):
    numbers_NM, count = content_features(catalogue)
    assert numbers_NM.max(initial=0) <= count
    return [set(row[row > 0].tolist()) for row in numbers_NM]


def test_items_of_one_category_share_its_path_and_others_share_the_upper_part_alone():
    mug, cup, pen, bag = features(Catalogue(tuple("abcd"), categories=("Home/Mugs", "Home/Mugs", "Home/Pens", "Bags")))
    assert mug == cup
    assert len(mug) == 2
    assert len(mug & pen) == 1
    assert bag == set()


def test_prices_share_a_bucket_when_they_are_near():
    cheap, near, dear, unknown = features(Catalogue(tuple("abcd"), prices=(500, 510, 5000, -1)))
    assert cheap == near != set()
    assert dear == unknown == set()


def test_brands_and_title_words_do_not_depend_on_upper_case():
    one, two = features(Catalogue(("a", "b"), brands=("Acme", "ACME"), titles=("Red mug", "MUG, blue")))
    assert one == two
    assert len(one) == 2


def test_unknown_content_is_no_content():
    assert features(Catalogue(("a", "b"), categories=("(not set)",) * 2, brands=("", ""))) == [set(), set()]
    assert content_features(Catalogue(("a",)))[0].shape == (1, 0)


def test_of_a_very_long_title_the_first_words_are_kept_and_category_before_all():
    title = " ".join(f"w{number}" for number in range(100))
    numbers_NM, _ = content_features(Catalogue(("a", "b"), categories=("Home",) * 2, titles=(title,) * 2))
    assert numbers_NM.shape == (2, 32)
    assert np.array_equal(numbers_NM[0], np.arange(1, 33))


def test_a_later_item_has_the_features_that_it_shares_with_known_ones():
    names = content_names(Catalogue(("a", "b"), categories=("Home/Mugs", "Home/Pens"), brands=("Acme", "acme")))
    assert names == ("category:Home", "brand:acme")
    later = Catalogue(("c", "d"), categories=("Home/Cups", "Bags"), brands=("Other", "ACME"))
    assert known_features(later, names).tolist() == [[1], [2]]
    assert known_features(later, ()).shape == (2, 0)
