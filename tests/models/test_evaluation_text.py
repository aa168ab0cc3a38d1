import math
from dataclasses import replace

from endcap.models.evaluation import Difference, Evaluation, ModelMeasures, Slice
from endcap.models.evaluation_text import (
    conclusions,
    evaluation_text,
    lists_rows,
    measure_rows,
    slice_rows,
    slices_told,
    verdicts,
)

NAN = float("nan")
NOT_ABOVE = (
    "two_tower is not clearly above item_markov: ndcg@5 -0.0050 [-0.0200, +0.0100], untied -0.0060 [-0.0300, +0.0200]"
)


def measures(ndcg):
    values = {"hr@5": 0.5, "ndcg@5": ndcg, "mrr@5": 0.125, "coverage@5": NAN, "gini@5": 0.75, "popularity@5": 0.0125}
    return ModelMeasures(values, {"hr@5": (0.4, 0.6), "ndcg@5": (ndcg - 0.05, ndcg + 0.05), "mrr@5": (0.1, 0.2)})


def difference(low, high, mean=-0.005):
    return Difference("two_tower", "item_markov", {"ndcg@5": mean}, {"ndcg@5": (low, high)})


def found(ends=(-0.02, 0.01), untied=(-0.03, 0.02), same_instant=9, more=()):
    models = {"item_markov": measures(0.2), "two_tower": measures(0.25)}
    apart = Slice("untied", 1000, 50, models, (difference(*untied, mean=-0.006),))
    return Evaluation(
        protocol={"name": "session_next", "seen": "keep", "ks": [5]},
        counts={"cases": 1234, "users": 56, "items": 7, "undefined": 3, "same_instant": same_instant},
        models=models,
        differences=(difference(*ends),),
        slices=(apart, Slice("cold_items", 49, 3, {}, ()), *more),
    )


def test_the_tables_read_in_one_look_the_best_model_first():
    assert evaluation_text(found()).splitlines() == [
        "session_next: 1,234 cases of 56 users, 3 undefined; all 7 items ranked, seen items kept",
        "the highest ndcg@5: two_tower with 0.2500, 95 % interval 0.2000..0.3000",
        "clearly above item_markov and popular, on all cases and on the untied: no model",
        "",
        "model          hr@5   mrr@5  ndcg@5     ndcg@5 95 %  ndcg@5 untied     untied 95 %",
        "two_tower    0.5000  0.1250  0.2500  0.2000..0.3000         0.2500  0.2000..0.3000",
        "item_markov  0.5000  0.1250  0.2000  0.1500..0.2500         0.2000  0.1500..0.2500",
        "",
        "lists        coverage@5  gini@5  popularity@5",
        "two_tower             -  0.7500         1.25%",
        "item_markov           -  0.7500         1.25%",
        "",
        "ndcg@5 by slice  cases  two_tower  item_markov",
        "untied           1,000     0.2500       0.2000",
        "cold_items          49  too small",
        "",
        NOT_ABOVE,
        "too small to say anything, under 50 cases: cold_items (49)",
    ]


def test_a_model_below_a_reference_is_said_to_be_and_one_above_is_not_mentioned():
    assert "two_tower is below item_markov" in verdicts(found((-0.02, -0.001), (-0.02, -0.001)))[0]
    assert not [line for line in verdicts(found((0.001, 0.01), (0.001, 0.01))) if "item_markov" in line]
    assert not [line for line in verdicts(found((NAN, NAN), (NAN, NAN))) if "item_markov" in line]


def test_a_model_that_is_above_by_the_order_of_ids_alone_is_told():
    (line, *_) = verdicts(found((0.001, 0.01), (-0.02, 0.01)))
    assert line == (
        "two_tower is above item_markov: ndcg@5 -0.0050 [+0.0010, +0.0100]; on untied cases it is not clearly above: "
        "untied -0.0060 [-0.0200, +0.0100]"
    )
    (line, *_) = verdicts(found((-0.02, -0.01), (0.001, 0.01)))
    assert "is below item_markov" in line
    assert "on untied cases it is above" in line


def test_cases_that_the_order_of_ids_decides_are_told_where_they_are_many():
    assert "same instant" not in evaluation_text(found())
    assert "1,000 cases ask for an item of the same instant" in evaluation_text(found(same_instant=1000))


def test_the_conclusion_names_the_best_and_who_is_clearly_above_both_references_everywhere():
    assert conclusions(found())[0] == "the highest ndcg@5: two_tower with 0.2500, 95 % interval 0.2000..0.3000"
    alike = replace(found(), models={"popular": measures(0.25), "two_tower": measures(0.25)})
    assert "popular, two_tower with 0.2500" in conclusions(alike)[0]
    assert conclusions(found())[1].endswith("on the untied: no model")
    assert conclusions(found((0.001, 0.1), (0.001, 0.1)))[1].endswith("on the untied: two_tower")
    assert conclusions(found((0.001, 0.1), (-0.001, 0.1)))[1].endswith("on the untied: no model")
    nothing = replace(found(), models={"popular": measures(math.nan)})
    assert conclusions(nothing) == ["ndcg@5 is undefined for every model"]


def test_of_a_segment_with_many_values_the_largest_are_shown_and_the_others_are_counted():
    models = found().models
    more = tuple(Slice(f"country={at}", 100 + at, 9, models, ()) for at in range(15))
    rows = slice_rows(found(more=more))
    assert [row[0] for row in rows[3:5]] == ["country=14", "country=13"]
    assert len(rows) == 1 + 2 + 12
    assert "3 smaller slices are in the JSON alone" in verdicts(found(more=more))


def test_measures_that_no_model_has_get_no_column():
    assert lists_rows(found())[0] == ["lists", "coverage@5", "gini@5", "popularity@5"]


def test_baskets_have_recall_and_no_order_of_ids():
    models = {"popular": ModelMeasures({"hr@5": 1.0, "recall@5": 0.5, "ndcg@5": 0.25}, {"ndcg@5": (0.2, 0.3)})}
    baskets = replace(found(), models=models, differences=(), slices=(Slice("new_items", 49, 3, {}, ()),))
    assert measure_rows(baskets)[0] == ["model", "hr@5", "recall@5", "ndcg@5", "ndcg@5 95 %"]
    assert conclusions(baskets)[1] == "clearly above item_markov and popular: no model"
    assert slices_told(baskets) == {"new_items": "the basket holds nothing that the user has had"}
