from endcap.models.budget import NotFitted
from endcap.models.evaluation import Difference, Evaluation, ModelMeasures, Slice

NAN = float("nan")


def found():
    measures = ModelMeasures({"ndcg@5": 0.25, "coverage@5": NAN}, {"ndcg@5": (0.2, 0.3)}, {"novelty@5": 2})
    difference = Difference("two_tower", "item_markov", {"ndcg@5": -0.005}, {"ndcg@5": (-0.02, 0.01)})
    return Evaluation(
        protocol={"name": "session_next", "seen": "keep", "ks": [5]},
        counts={"cases": 60},
        models={"two_tower": measures},
        differences=(difference,),
        slices=(Slice("untied", 50, 9, {"two_tower": measures}, (difference,)), Slice("cold_items", 49, 8, {}, ())),
        fit_s={"two_tower": 1.5},
        not_fitted={"sequence": NotFitted("not started", 77.7, 6.6)},
    )


def test_undefined_is_null_and_counted_and_seconds_are_left_out():
    plain = found().to_plain()
    assert plain["models"]["two_tower"]["coverage@5"] is None
    assert plain["models"]["two_tower"]["ci"]["ndcg@5"] == [0.2, 0.3]
    assert plain["models"]["two_tower"]["undefined"] == {"novelty@5": 2}
    assert plain["differences"]["two_tower - item_markov"] == {"ndcg@5": -0.005, "ci": {"ndcg@5": [-0.02, 0.01]}}
    assert "1.5" not in str(plain)
    assert "77.7" not in str(plain)


def test_slices_stand_by_name_and_one_under_fifty_cases_is_too_small():
    slices = found().to_plain()["slices"]
    assert slices["untied"]["models"]["two_tower"]["ndcg@5"] == 0.25
    assert slices["untied"]["differences"]["two_tower - item_markov"]["ndcg@5"] == -0.005
    assert slices["cold_items"] == {"cases": 49, "users": 8, "too_small": True, "models": {}, "differences": {}}
    assert found().slice_named("untied").cases == 50
    assert found().slice_named("device=phone") is None
