import numpy as np
import pyarrow as pa
import pytest

from endcap.core.tables import EXAMPLES
from endcap.engines.port import arrow_schema
from endcap.features.leakage_of_negatives import FALSE_ALARM
from endcap.testing.shop_mistakes import MORE_MISTAKES, broken_shop


def with_examples(clean, change):
    rows = [{**row, **change(row)} for row in clean["examples"].to_pylist()]
    return {**clean, "examples": pa.Table.from_pylist(rows, arrow_schema(EXAMPLES))}


def test_a_negative_that_nobody_had_seen_is_found(engine, clean, leaks_of):
    name = "negatives from today's catalogue"
    found = leaks_of(broken_shop(engine, clean, name), part="negatives")
    assert [each.name for each in found] == [MORE_MISTAKES[name].leak]


def test_probabilities_of_no_days_are_told_as_such(clean, leaks_of):
    broken = with_examples(clean, lambda row: {"negative_p": [p / 2 for p in row["negative_p"]]})
    assert [each.name for each in leaks_of(broken, part="negatives")] == ["negatives-not-of-their-past"]


def test_negatives_that_leave_out_the_target_alone_are_found(clean, leaks_of):
    def change(row):
        drawn = list(zip(row["negative_item_ids"], row["negative_p"], strict=True))
        kept = [each for each in drawn if each[0] != row["item_id"]]
        again = [kept[place % len(kept)] if kept else each for place, each in enumerate(drawn)]
        return {"negative_item_ids": [item for item, _ in again], "negative_p": [p for _, p in again]}

    (found,) = leaks_of(with_examples(clean, change), part="negatives")
    assert found.name == "negatives-avoid-the-outcome"


@pytest.mark.parametrize("seed", range(5))
def test_honest_draws_are_left_alone(seed, clean, leaks_of):
    rng = np.random.default_rng(seed)
    known = {}
    for row in clean["examples"].to_pylist():
        drawn = zip(row["negative_item_ids"], row["negative_p"], strict=True)
        known.setdefault(row["date_partition"], {}).update(drawn)

    def change(row):
        chances = known[row["date_partition"]]
        if not chances:
            return {}
        p = np.array(list(chances.values()))
        items = [list(chances)[place] for place in rng.choice(len(p), size=4, p=p / p.sum())]
        return {"negative_item_ids": items, "negative_p": [chances[item] for item in items]}

    assert leaks_of(with_examples(clean, change), part="negatives") == []
    assert FALSE_ALARM <= 1e-6
