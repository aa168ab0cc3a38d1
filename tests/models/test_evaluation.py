import math

from endcap.models.evaluation import Difference, Evaluation, ModelMeasures

NAN = float("nan")


def found(low=-0.02, high=0.01, same_instant=9):
    measures = {"hr@5": 0.5, "ndcg@5": 0.25, "mrr@5": 0.125, "coverage@5": NAN}
    ends = {"hr@5": (0.4, 0.6), "ndcg@5": (0.2, 0.3), "mrr@5": (0.1, 0.2)}
    difference = Difference("two_tower", "item_markov", {"ndcg@5": -0.005}, {"ndcg@5": (low, high)})
    return Evaluation(
        protocol={"name": "session_next", "seen": "keep", "ks": [5]},
        counts={"cases": 1234, "users": 56, "items": 7, "undefined": 3, "same_instant": same_instant},
        models={"two_tower": ModelMeasures(measures, ends)},
        differences=(difference,),
        fit_s={"two_tower": 1.5},
    )


def test_undefined_is_null_and_seconds_are_left_out():
    plain = found().to_plain()
    assert plain["models"]["two_tower"]["coverage@5"] is None
    assert plain["models"]["two_tower"]["ci"]["ndcg@5"] == [0.2, 0.3]
    assert plain["differences"]["two_tower - item_markov"] == {"ndcg@5": -0.005, "ci": {"ndcg@5": [-0.02, 0.01]}}
    assert "1.5" not in str(plain)


def test_the_table_reads_in_one_look():
    assert found().text().splitlines() == [
        "session_next: 1,234 cases of 56 users, 3 undefined; all 7 items ranked, seen items kept",
        "",
        "model        hr@5  ndcg@5   mrr@5  coverage@5     ndcg@5 95 %",
        "two_tower  0.5000  0.2500  0.1250           -  0.2000..0.3000",
        "",
        "two_tower is not clearly above item_markov: ndcg@5 -0.0050 [-0.0200, +0.0100]",
    ]


def test_a_model_below_a_reference_is_said_to_be_and_one_above_is_not_mentioned():
    assert "two_tower is below item_markov" in found(high=-0.001).text()
    assert "item_markov" not in found(low=0.001).text()
    assert "item_markov" not in found(low=math.nan, high=math.nan).text()


def test_cases_that_the_order_of_ids_decides_are_told_where_they_are_many():
    assert "same instant" not in found().text()
    assert "1,000 cases ask for an item of the same instant" in found(same_instant=1000).text()
