import numpy as np

from endcap.testing.worlds import SPLIT_US, no_sequences, planted_catalogue, planted_sequences


def test_nine_of_ten_steps_of_the_planted_world_go_to_the_next_item():
    items = planted_sequences().items.reshape(-1, 5)
    share = ((items[:, :-1] + 1) % 12 == items[:, 1:]).mean()
    assert 0.88 < share < 0.94


def test_popularity_knows_next_to_nothing_in_the_planted_world():
    counts = np.bincount(planted_sequences().items, minlength=12)
    assert counts.max() < 1.35 * counts.min()


def test_the_split_parts_whole_sessions_four_to_one():
    sequences = planted_sequences()
    assert (sequences.at_us[sequences.starts[:-1]] < SPLIT_US).sum() == 320
    assert (sequences.at_us < SPLIT_US).sum() == 1600


def test_the_catalogue_is_in_order_and_has_gaps_like_a_real_one():
    catalogue = planted_catalogue()
    assert list(catalogue.item_ids) == sorted(catalogue.item_ids)
    assert "" in catalogue.brands
    assert -1 in catalogue.prices


def test_no_sequences_are_none():
    assert len(no_sequences()) == 0
