import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.core.clock import DAY_US
from endcap.core.errors import BundleError, Code
from endcap.core.landed import LandedEvent, LandedItem
from endcap.events import validate
from endcap.features.visitor_rows import HORIZON_US, NEEDS_ITEM, UNKNOWN, PastRows, VisitorRows, pack, rows_of_columns

ANN, BOB, EVE = "a" * 32, "b" * 32, "e" * 32


def event(number, at_us, name="view_item", items="A"):
    return LandedEvent(
        event_id=f"{number:032x}",
        event_name=name,
        at_us=at_us,
        received_us=at_us + 5,
        user_key=ANN,
        items=tuple(LandedItem(item_id=item, price_minor=number) for item in items),
    )


def instants(known):
    return known.rows["at_us"].tolist()


def test_an_event_that_is_summed_up_has_a_row_for_each_item_and_another_has_one():
    packed = pack([event(1, 30, items="AB"), event(2, 20, "view_item_list", "ABC"), event(3, 10, "search", "")])
    assert instants(packed) == [10, 20, 30, 30]
    assert (packed.rows["item"] == 0).tolist() == [True, True, False, False]
    assert packed.rows["price_minor"].tolist() == [-1, -1, 1, 1]
    assert (packed.cut_us, packed.arrived_us) == (0, 35)


def test_rows_tell_how_far_they_go_what_comes_after_an_instant_and_which_instants_they_hold():
    packed = pack([event(1, 10), event(2, 30)])
    assert (packed.last_us, VisitorRows().last_us) == (30, None)
    assert [instants(packed.after(at_us)) for at_us in (9, 10, 30)] == [[10, 30], [30], []]
    assert packed.holds(np.array([10, 20, 30])).tolist() == [True, False, True]


def test_what_ingest_quarantines_for_want_of_an_item_has_no_row():
    assert NEEDS_ITEM == validate._OF_ONE_ITEM  # noqa: SLF001 - the rooms do not know each other
    assert [len(pack([event(1, 1, name, "")]).rows) for name in (*NEEDS_ITEM, "purchase", "search")] == [0] * 5 + [1, 1]
    assert len(pack([event(1, 1, "a_name_of_yore")]).rows) == 0


def test_packing_one_by_one_and_by_columns_is_the_same():
    id_ = "0123456789abcdef" * 2
    one = pack([LandedEvent(event_id=id_, event_name="purchase", at_us=7, user_key=ANN,
                            items=(LandedItem(item_id="A"), LandedItem(item_id="B", price_minor=3)))])  # fmt: skip
    places, items = np.array([0, 0]), np.array([1, 0])
    names = (places, ["purchase"])
    many = rows_of_columns(np.array([7, 7]), [id_, id_], names, (items, ["B", "A"]), np.array([-1, 3]))
    assert one.rows.tolist() == many.tolist()


EVENTS = st.lists(st.tuples(st.integers(0, 12), st.sampled_from("AB")), max_size=10).map(
    lambda pairs: [event(number, at_us, items=item * (1 + number % 2)) for number, (at_us, item) in enumerate(pairs)]
)


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.data(), st.integers(1, 8))
def test_order_batches_and_repetition_do_not_matter_nor_how_often_rows_were_limited(events, data, most):
    once = VisitorRows().joined(pack(events)).limited(most)
    shuffled = data.draw(st.permutations(events))
    cut = data.draw(st.integers(0, len(events)))
    again = VisitorRows()
    for batch in (shuffled[:cut], shuffled[cut:], shuffled[:cut]):
        again = VisitorRows.decoded(again.joined(pack(batch)).limited(most).encoded())
    assert (again.rows.tolist(), again.cut_us) == (once.rows.tolist(), once.cut_us)
    assert len(once.rows) <= most


def test_rows_that_are_too_many_or_too_old_are_cut_and_the_cut_is_remembered():
    known = pack([event(1, 10), event(2, 20), event(3, 30, items="AB")])
    assert (instants(known.limited(3)), known.limited(3).cut_us) == ([20, 30, 30], 11)
    assert (instants(known.limited(1)), known.limited(1).cut_us) == ([], 31)  # rows of one instant go together
    assert known.limited(4).cut_us == 0
    late = known.joined(pack([event(4, 11 + HORIZON_US)])).limited(9)
    assert (instants(late)[:2], late.cut_us) == ([20, 30], 11)


@pytest.mark.parametrize("damaged", [b"", b"x" * 15, b"x" * 17])
def test_damaged_rows_are_refused(damaged):
    with pytest.raises(ValueError, match="bytes long"):
        VisitorRows.decoded(damaged)


def past(most=10):
    rows = np.concatenate([pack([event(number, at_us)]).rows for number, at_us in enumerate([40, 10, 30, 20, 5])])
    return PastRows.of_users([ANN, BOB], np.array([0, 4, 5]), rows, most=most, since_us=3, gap_us=7)


def test_each_user_has_their_own_rows_in_order_and_a_stranger_none(tmp_path):
    past().save(tmp_path)
    opened = PastRows.open(tmp_path)
    assert (len(opened), opened.gap_us) == (2, 7)
    assert [instants(opened.of(key)) for key in (ANN, BOB, EVE, "", ANN + "a")] == [[10, 20, 30, 40], [5], [], [], []]
    assert {opened.of(key).cut_us for key in (ANN, EVE, "")} == {3}


def test_a_user_with_too_many_rows_is_cut_and_no_other():
    assert [(instants(past(2).of(key)), past(2).of(key).cut_us) for key in (ANN, BOB)] == [([30, 40], 21), ([5], 3)]


def test_a_bundle_without_rows_knows_nothing_for_certain(tmp_path):
    known = PastRows.open(tmp_path / "nowhere").of(ANN)
    assert (instants(known), known.cut_us) == ([], UNKNOWN)


@pytest.mark.parametrize("file", ["keys", "starts", "rows", "cuts", "facts"])
@pytest.mark.parametrize("fault", ["missing", "empty", "other type", "other length"])
def test_damage_is_found_on_opening(tmp_path, file, fault):
    past().save(tmp_path)
    path = tmp_path / f"{file}.npy"
    found = np.load(path)
    path.unlink()
    if fault == "empty":
        path.touch()
    elif fault != "missing":
        np.save(path, np.zeros(len(found), np.float32) if fault == "other type" else found[:-1])
    with pytest.raises(BundleError) as caught:
        PastRows.open(tmp_path)
    assert caught.value.code is Code.BUNDLE_DAMAGED


def test_the_horizon_is_longer_than_any_feature_reaches_back():
    assert HORIZON_US >= (30 + 2 + 0.5 + 1) * DAY_US
