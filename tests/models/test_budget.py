import pytest

from endcap.core.errors import Code, ModelError
from endcap.models.budget import Budget, NotFitted, in_order_of_cost


class Watch:
    """A clock that goes on only when somebody works."""

    def __init__(self):
        self.now_us = 0

    def __call__(self):
        return self.now_us

    def work(self, seconds):
        self.now_us += round(seconds * 1e6)


def ran(costs, budget_s, *, before_s=0.0):
    """Return what was decided, by whom which parts were looked at, and the seconds that all of it took.

    Args:
        costs: Name -> seconds of a whole fit, or a mapping of those by the part that is fitted.
        budget_s: Seconds.
        before_s: What went by before the first fit.
    """
    watch, looks = Watch(), []
    watch.work(before_s)

    def cost(name, part):
        return costs[name][part] if isinstance(costs[name], dict) else costs[name] / part

    def try_on(name, part):
        looks.append((name, part))
        watch.work(cost(name, part))

    decided = {}
    for name, refused in in_order_of_cost(list(costs), ("first",), try_on, Budget(budget_s, watch, 0)):
        decided[name] = refused
        if refused is None:
            watch.work(cost(name, 1))
    return decided, looks, watch.now_us / 1e6


def test_models_run_in_order_of_cost_after_those_that_must():
    decided, looks, _ = ran({"dear": 30, "first": 5, "cheap": 2}, 100)
    assert list(decided.items()) == [("first", None), ("cheap", None), ("dear", None)]
    assert looks == [("dear", 100), ("dear", 100), ("dear", 10), ("cheap", 100), ("cheap", 100), ("cheap", 10)]


def test_one_that_does_not_fit_is_not_started_and_told_with_its_numbers():
    decided, _, took_s = ran({"first": 5, "dear": 200}, 100)
    refused = decided["dear"]
    assert refused == NotFitted(refused.why, pytest.approx(200), pytest.approx(90 - 5 - 4 - 20))
    assert refused.why == (
        "not started: needs about 200.0 s (10 times the 20.00 s on one part in 10), and 61.0 s of the budget of 100 s "
        "were left for fitting"
    )
    assert took_s < 100


def test_what_must_run_runs_however_small_the_budget_is_and_the_others_are_told():
    decided, looks, _ = ran({"first": 50, "other": 1}, 10)
    assert decided["first"] is None
    assert decided["other"].why == "not started: 0.0 s of the budget of 10 s were left for fitting"
    assert (decided["other"].needed_s, looks) == (None, [])


def test_what_went_by_before_the_first_fit_counts():
    assert ran({"first": 1, "other": 20}, 40)[0]["other"] is None
    assert ran({"first": 1, "other": 20}, 40, before_s=25)[0]["other"] is not None


def test_a_look_that_would_take_more_than_half_of_what_is_left_is_not_taken():
    decided, looks, took_s = ran({"first": 0, "huge": 1000}, 100)
    assert looks == [("huge", 100), ("huge", 100)]
    assert decided["huge"].needed_s == pytest.approx(1000)
    assert took_s == pytest.approx(20)


def test_a_model_that_looks_too_dear_by_a_tenth_gets_a_last_look_at_a_fifth():
    slow = {100: 1.5, 10: 10, 5: 12, 1: 47}  # seconds of the sequence model on a real shop
    decided, looks, took_s = ran({"first": 0, "slow": slow}, 100)
    assert looks[-1] == ("slow", 5)
    assert decided["slow"] is None
    assert took_s == 72


def test_a_model_that_cannot_be_fitted_on_a_part_is_fitted_on_all():
    watch = Watch()

    def try_on(_name, _part):
        raise ModelError("too few rows", fix="more rows", code=Code.MODEL_NOT_FITTED)

    assert list(in_order_of_cost(["picky"], (), try_on, Budget(1, watch, 0))) == [("picky", None)]
