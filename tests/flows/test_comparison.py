import json

from endcap.flows.comparison import Comparison
from endcap.models.budget import NotFitted
from endcap.models.evaluation import Evaluation, ModelMeasures, Slice


def found():
    measures = ModelMeasures(
        {"hr@5": 0.5, "ndcg@5": 0.25, "mrr@5": 0.125}, {"hr@5": (0.4, 0.6), "ndcg@5": (0.2, 0.3), "mrr@5": (0.1, 0.2)}
    )
    counts = {"cases": 60, "users": 9, "items": 7, "undefined": 0, "same_instant": 0}
    evaluation = Evaluation(
        protocol={"name": "session_next", "seen": "keep", "ks": [5]},
        counts=counts,
        models={"popular": measures},
        differences=(),
        slices=(Slice("untied", 60, 9, {"popular": measures}, ()),),
        fit_s={"popular": 0.12345},
        not_fitted={"sequence": NotFitted("not started: needs about 77.7 s", 77.7, 6.6543)},
    )
    protocol = {"split": "leave_one_out", "segment": None, "ks": [5], "final_fit": "train and validation"}
    return Comparison(evaluation, protocol, counts | {"rows": 80, "rows_left_out": 1})


def test_json_has_seconds_beside_measures_and_why_a_model_has_none():
    plain = found().to_plain()
    assert plain["models"]["popular"]["fit_s"] == 0.123
    assert plain["slices"]["untied"]["models"]["popular"]["ndcg@5"] == 0.25
    assert plain["not_fitted"] == {
        "sequence": {"why": "not started: needs about 77.7 s", "needed_s": 77.7, "left_s": 6.654}
    }
    json.dumps(plain, allow_nan=False)


def test_the_text_ends_with_seconds_with_who_was_not_fitted_and_with_what_must_be_known():
    assert found().text().splitlines()[-4:] == [
        "fitted in: popular 0.12 s",
        "sequence: not started: needs about 77.7 s",
        "fitted on: train and validation",
        "left out: 1 of 80 rows, without a user, an item or an instant",
    ]


def test_what_was_asked_is_told_without_what_was_not():
    assert found().asked_told() == ["split: leave_one_out", "ks: 5", "final_fit: train and validation"]
