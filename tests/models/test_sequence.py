import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from endcap.core.errors import ModelError
from endcap.core.sequences import EVENT_KINDS, Catalogue, Queries, Sequences
from endcap.models.sequence import SequenceModel
from endcap.testing.algorithms import AlgorithmConformance

VIEW, CART = EVENT_KINDS.index("view_item"), EVENT_KINDS.index("add_to_cart")
SMALL = {"dim": 16, "epochs": 12, "tokens": 256, "dropout": 0.0, "item_dropout": 0.0}


class TestSequence(AlgorithmConformance):
    recipe = SequenceModel(**SMALL)


class TestSequenceWithDrawnItems(AlgorithmConformance):
    recipe = SequenceModel(**SMALL, num_negatives=2, history=3)


def steps_of_two(tells):
    """From item 0 a view leads to item 1 and a cart to item 2; or a short pause to item 1 and a long one to item 2."""
    kinds = np.random.default_rng(5).integers(2, size=300)
    items = np.array([[3, 0, 1 + kind] for kind in kinds], np.int32).reshape(-1)
    events, pauses = np.full((300, 3), VIEW, np.int8), np.ones((300, 3), np.int64)
    if tells == "events":
        events[:, 1] = np.where(kinds, CART, VIEW)
    else:
        pauses[:, 1] = np.where(kinds, 3600, 1)
    at_us = np.cumsum(pauses.reshape(-1)) * 1_000_000
    return Sequences(np.arange(0, 901, 3), items, at_us, np.arange(300), events=events.reshape(-1))


@pytest.mark.parametrize("tells", ["events", "pauses"])
def test_what_was_done_and_how_long_a_visitor_stayed_count(tells):
    recipe = SequenceModel(**{**SMALL, "epochs": 30}, event_dropout=0.0)
    scorer = recipe.fit(steps_of_two(tells), Catalogue(("a", "b", "c", "d")), seed=1)
    asked = Queries(
        np.array([0, 2, 4]),
        np.array([3, 0, 3, 0], np.int32),
        np.array([VIEW, VIEW, VIEW, CART if tells == "events" else VIEW], np.int8),
        np.array([0, 1, 0, 1 if tells == "events" else 3600]) * 1_000_000,
    )
    scores = scorer.score(asked)
    assert scores[0, 1] > scores[0, 2] + 1
    assert scores[1, 2] > scores[1, 1] + 1


def test_who_knows_the_items_alone_is_answered_too():
    scorer = SequenceModel(**SMALL, event_dropout=0.3).fit(steps_of_two("events"), Catalogue(tuple("abcd")), seed=1)
    best = np.argsort(-scorer.score(Queries.of([[3, 0]]))[0])
    assert set(best[:2].tolist()) == {1, 2}


def test_a_new_visitor_gets_what_visits_begin_with():
    scorer = SequenceModel(**SMALL).fit(steps_of_two("events"), Catalogue(tuple("abcd")), seed=1)
    assert scorer.score(Queries.of([[]]))[0].argmax() == 3


def test_fitting_neither_changes_nor_depends_on_draws_of_others():
    import torch  # noqa: PLC0415 - as training does

    fits = []
    for others_seed in (9, 10):
        torch.manual_seed(others_seed)
        undisturbed = torch.rand(5)
        torch.manual_seed(others_seed)
        first = torch.rand(2)
        fits.append(SequenceModel(**SMALL).fit(steps_of_two("events"), Catalogue(tuple("abcd")), seed=1))
        assert torch.equal(torch.cat([first, torch.rand(3)]), undisturbed)
    assert fits[0].items_ND.tobytes() == fits[1].items_ND.tobytes()


def test_a_large_shop_is_passed_over_less_often():
    shop = steps_of_two("events")
    once = SequenceModel(**SMALL).model_copy(update={"epochs": 1}).fit(shop, Catalogue(tuple("abcd")), seed=1)
    capped = SequenceModel(**SMALL, most_tokens=900).fit(shop, Catalogue(tuple("abcd")), seed=1)
    assert capped.items_ND.tobytes() == once.items_ND.tobytes()


def test_numbers_that_run_away_are_a_model_error():
    with pytest.raises(ModelError, match="the loss of sequence is nan at the examples"):
        SequenceModel(**{**SMALL, "weight_decay": 1.0}, learning_rate=1.0).model_copy(
            update={"learning_rate": 1e30}
        ).fit(steps_of_two("events"), Catalogue(tuple("abcd")), seed=1)


@pytest.mark.parametrize("settings", [{"dim": 10}, {"heads": 0}, {"dropout": 1.0}, {"history": 0}, {"tokens": 0}])
def test_a_setting_out_of_its_range_is_refused(settings):
    with pytest.raises(ValidationError):
        SequenceModel(**settings)


def test_torch_is_loaded_by_fitting_alone():
    told = "import sys; import endcap.models.sequence; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
