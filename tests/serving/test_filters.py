import numpy as np

from endcap.core.history import NO_HISTORY, History
from endcap.serving.asking import Asking
from endcap.serving.filters import FILTERS, eligible
from endcap.serving.sources import propose


def kept_and_removed(letters, bundle, history="", **rules):
    asking = Asking(bundle, History.of_items(["ABCDEFGH".index(each) for each in history]), 8, **rules)
    candidates, _ = propose(asking, ["popular"], 8)
    kept, removed = eligible(asking, candidates)
    assert set(removed.values()) <= set(FILTERS)
    return letters(kept.items), {letters([item]): reason for item, reason in removed.items()}


def test_sold_out_items_never_pass(bundle, letters):
    assert kept_and_removed(letters, bundle) == ("ABDCGHE", {"F": "out_of_stock"})


def test_each_removed_item_has_its_first_reason(bundle, letters):
    kept, removed = kept_and_removed(
        letters, bundle, "ABC", current=frozenset([2]), excluded=frozenset([5, 7]), drops_seen=True
    )
    assert kept == "DGE"
    assert removed == {"C": "current", "F": "excluded", "H": "excluded", "A": "seen", "B": "seen"}


def test_seen_items_stay_where_the_placement_does_not_mind(bundle, letters):
    assert kept_and_removed(letters, bundle, "AB")[0] == "ABDCGHE"


def test_filters_keep_the_order(bundle):
    candidates, _ = propose(Asking(bundle, NO_HISTORY, 8), ["popular"], 8)
    kept, _ = eligible(Asking(bundle, NO_HISTORY, 8), candidates)
    places = [candidates.items.tolist().index(item) for item in kept.items.tolist()]
    assert np.all(np.diff(places) > 0)
