from endcap.core.history import NO_HISTORY
from endcap.serving.asking import Asking
from endcap.serving.sources import propose


def test_an_item_belongs_to_the_first_source_that_proposed_it(bundle, letters, viewed):
    candidates, failed = propose(Asking(bundle, viewed("A"), 3), ["item_markov", "two_tower", "popular"], 3)
    told = [(letters([item]), candidates.source(place)) for place, item in enumerate(candidates.items)]
    assert told == [
        ("B", "item_markov"), ("F", "item_markov"), ("A", "item_markov"), ("C", "two_tower"), ("D", "popular")
    ]  # fmt: skip
    assert failed == []


def test_for_a_new_visitor_only_popular_speaks(bundle, letters):
    candidates, _ = propose(Asking(bundle, NO_HISTORY, 3), ["item_markov", "two_tower", "popular"], 3)
    assert (letters(candidates.items), candidates.names) == ("ABD", ("popular",))
    assert propose(Asking(bundle, NO_HISTORY, 3), ["item_markov"], 3)[0].names == ("popular",)


def test_a_source_that_the_bundle_lacks_is_passed_over(bundle, viewed):
    candidates, failed = propose(Asking(bundle, viewed("A"), 3), ["sequence", "two_tower"], 3)
    assert (candidates.names, failed) == (("two_tower",), [])


def test_a_source_that_fails_is_named(bundle, viewed, monkeypatch):
    def fail(*_):
        raise RuntimeError("broken")

    monkeypatch.setattr(type(bundle.models["item_markov"]), "score", fail)
    candidates, failed = propose(Asking(bundle, viewed("A"), 3), ["item_markov", "popular"], 3)
    assert (candidates.names, failed) == (("popular",), ["item_markov"])
