import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from endcap.core.sequences import EVENT_KINDS, Sequences
from endcap.models.baskets import LARGEST, count_together, find_baskets

VIEW, BUY = EVENT_KINDS.index("view_item"), EVENT_KINDS.index("purchase")


def sequences(lists, events=None, at_us=None):
    flat = [item for each in lists for item in each]
    starts = np.concatenate([[0], np.cumsum([len(each) for each in lists])]).astype(np.int64)
    return Sequences(
        starts=starts,
        items=np.array(flat, np.int32),
        at_us=np.arange(len(flat)) if at_us is None else np.array(at_us),
        users=np.arange(len(lists)),
        events=None if events is None else np.array(events, np.int8),
    )


def baskets(*args, **named):
    basket_R, item_R = find_baskets(sequences(*args, **named))
    return [item_R[basket_R == basket].tolist() for basket in dict.fromkeys(basket_R.tolist())]


def test_a_basket_is_what_a_sequence_bought():
    assert baskets([[0, 1, 2], [3, 4]], events=[VIEW, BUY, BUY, VIEW, BUY]) == [[1, 2], [4]]


def test_where_nothing_was_bought_a_sequence_is_a_basket():
    assert baskets([[2, 0, 2], [1]], events=[VIEW] * 4) == [[0, 2], [1]]
    assert baskets([[2, 0, 2], [1]]) == [[0, 2], [1]]


def test_lines_of_one_instant_are_an_order_where_a_file_does_not_tell_what_was_bought():
    assert baskets([[0, 1, 2, 3]], at_us=[5, 5, 7, 7]) == [[0, 1], [2, 3]]


def test_two_sequences_at_one_instant_are_two_baskets():
    assert baskets([[0, 1], [2]], at_us=[5, 5, 5]) == [[0, 1], [2]]


def test_no_more_items_of_a_basket_count_than_a_shopper_chooses():
    assert baskets([list(range(LARGEST + 20))]) == [list(range(LARGEST))]


def test_no_sequences_have_no_baskets():
    assert baskets([]) == []
    assert len(count_together(*find_baskets(sequences([])), 3).items) == 0


@given(st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=5), max_size=6))
def test_pairs_are_counted_as_a_plain_loop_counts_them(lists):
    counted = count_together(*find_baskets(sequences(lists)), 7)
    wanted = np.zeros((7, 7))
    for basket in map(set, lists):
        for one in basket:
            for other in basket - {one}:
                wanted[one, other] += 1
    found = np.zeros((7, 7))
    found[counted.rows(), counted.items] = counted.weights
    assert np.array_equal(found, wanted)
