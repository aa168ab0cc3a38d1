from types import SimpleNamespace

from endcap.core.history import History
from endcap.core.slate import Reason
from endcap.serving.asking import Asking
from endcap.serving.reasons import reasons_of


def reason(bundle, history, item, source):
    asking = Asking(bundle, History.of_items(["ABCDEFGH".index(each) for each in history]), 1)
    return reasons_of(asking, "ABCDEFGH".index(item), source, ["item_markov", "two_tower", "popular"])


def test_an_item_that_followed_one_of_the_history_goes_with_it(bundle):
    assert reason(bundle, "GA", "B", "item_markov") == (Reason("goes_with", "A"),)
    assert reason(bundle, "GA", "H", "two_tower") == (Reason("goes_with", "G"),)


def test_a_neighbour_is_like_what_was_looked_at(bundle):
    assert reason(bundle, "A", "C", "two_tower") == (Reason("like"),)


def test_all_else_is_popular(bundle):
    assert reason(bundle, "A", "C", "popular") == (Reason("popular"),)
    assert reason(bundle, "", "B", "two_tower") == (Reason("popular"),)


def test_an_item_that_speaks_most_for_itself_was_seen_before_and_does_not_go_with_itself():
    itself = SimpleNamespace(because=lambda _history, item: item)
    bundle = SimpleNamespace(speakers={"item_markov": itself}, items=SimpleNamespace(ids=["A"]), indexes={})
    asking = SimpleNamespace(history=History.of_items([0]), bundle=bundle)
    assert reasons_of(asking, 0, "item_markov", ["item_markov"]) == (Reason("seen", "A"),)
