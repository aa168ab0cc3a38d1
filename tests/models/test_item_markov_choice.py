import numpy as np

from endcap.core.sequences import Sequences
from endcap.models.item_markov_choice import START, choose_settings
from endcap.testing.worlds import no_sequences, planted_sequences


def two_steps_ahead():
    """Sessions where only the item before the last one tells what comes: 0 x 1, 2 x 3, 4 x 5 with x anything."""
    rng = np.random.default_rng(3)
    first = rng.integers(3, size=300) * 2
    items = np.stack([first, rng.integers(6, 12, size=300), first + 1], axis=1).astype(np.int32)
    return Sequences(np.arange(0, 901, 3), items.reshape(-1), np.arange(900), np.arange(300))


def test_too_little_to_choose_by_leaves_the_start():
    assert choose_settings(no_sequences(), 5, {}) == START
    assert choose_settings(no_sequences(), 5, {"decay": 0.2}).decay == 0.2


def test_a_world_where_the_item_before_the_last_one_speaks_wants_a_gap_beyond_one():
    assert choose_settings(two_steps_ahead(), 12, {}).max_gap > 1


def test_the_choice_is_repeatable():
    assert choose_settings(planted_sequences(), 12, {}) == choose_settings(planted_sequences(), 12, {})


def test_everything_given_is_not_looked_for():
    given = {"max_gap": 2, "decay": 0.4, "penalty": 0.1, "rows_sum": 0.3}
    settings = choose_settings(planted_sequences(), 12, given)
    assert (settings.max_gap, settings.decay, settings.penalty, settings.rows_sum) == (2, 0.4, 0.1, 0.3)
