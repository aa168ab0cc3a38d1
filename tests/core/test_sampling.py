import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.core.sampling import draw, integer_weights, mix, uniform_bits

names = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=12, unique=True)


def numbers(values):
    return np.array(values, np.uint64)


def test_mix_is_the_published_generator():
    # The first numbers of splitmix64 from the states 0 and 1.
    assert [hex(each) for each in mix(numbers([0, 1]))] == ["0xe220a8397b1dcdaf", "0x910a2dec89025cc1"]


@settings(max_examples=30, deadline=None)
@given(names, st.integers(0, 2**32))
def test_a_rows_draws_do_not_depend_on_the_rows_beside_it(rows, seed):
    together = uniform_bits(numbers(rows), 5, seed=seed)
    alone = np.concatenate([uniform_bits(numbers([row]), 5, seed=seed) for row in rows])
    assert (together == alone).all()


@settings(max_examples=30, deadline=None)
@given(names)
def test_more_draws_begin_with_the_fewer(rows):
    assert (uniform_bits(numbers(rows), 9, seed=3)[:, :4] == uniform_bits(numbers(rows), 4, seed=3)).all()


def test_another_seed_another_name_and_another_draw_give_other_bits():
    bits = np.stack([uniform_bits(numbers(range(50)), 20, seed=seed) for seed in range(5)])
    assert len(np.unique(bits)) == bits.size


def test_bits_are_uniform():
    ones = np.unpackbits(uniform_bits(numbers(range(2_000)), 10, seed=1).view(np.uint8)).reshape(-1, 64).mean(axis=0)
    assert np.abs(ones - 0.5).max() < 0.02  # 20,000 draws: a standard error of .0035


def test_drawing_raises_no_warning_at_the_edge_of_the_numbers():
    with np.errstate(all="raise"):
        draw(numbers([0, 2**64 - 1]), np.array([1, 2]), 3, seed=2**32)


def test_weights_decide_how_often_an_item_is_drawn():
    weights = np.array([1_000, 0, 3_000, 6_000])
    items, p = draw(numbers(range(5_000)), weights, 4, seed=9)
    shares = np.bincount(items.ravel(), minlength=4) / items.size
    assert shares == pytest.approx(weights / weights.sum(), abs=0.02)
    assert shares[1] == 0
    assert (p == (weights / weights.sum())[items]).all()


def test_an_item_of_weight_nothing_is_never_drawn_at_either_end():
    items, _ = draw(numbers(range(500)), np.array([0, 5, 0, 5, 0]), 4, seed=0)
    assert set(items.ravel().tolist()) == {1, 3}


def test_the_only_item_is_drawn_with_probability_one():
    items, p = draw(numbers([1, 2]), np.array([7]), 2, seed=0)
    assert (items.tolist(), p.tolist()) == ([[0, 0], [0, 0]], [[1.0, 1.0], [1.0, 1.0]])


def test_shapes_and_types_are_as_told():
    items, p = draw(numbers([1, 2, 3]), np.array([1, 2]), 5, seed=0)
    assert (items.shape, items.dtype, p.shape, p.dtype) == ((3, 5), np.int32, (3, 5), np.float64)
    items, p = draw(numbers([]), np.array([1, 2]), 5, seed=0)
    assert items.shape == p.shape == (0, 5)


def test_the_power_of_the_counts_decides_between_popularity_and_equality():
    counts = np.array([0, 1, 16])
    assert integer_weights(counts, power=1).tolist() == [1, 1_000, 16_000]
    assert integer_weights(counts, power=0.75).tolist() == [1, 1_000, 8_000]
    assert integer_weights(counts, power=0).tolist() == [1, 1_000, 1_000]


def test_an_item_never_seen_has_the_floor():
    assert integer_weights(np.array([0, 1]), power=1, floor=50).tolist() == [50, 1_000]
    assert integer_weights(np.array([0, 1]), power=1, floor=0).tolist() == [0, 1_000]
