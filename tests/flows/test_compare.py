import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.core.errors import Code, DataError, EndcapError, ModelError, UsageError
from endcap.flows.compare import compare
from endcap.models.registry import algorithm_names
from endcap.testing.worlds import SPLIT_US, planted_sequences

PAIR = ("popular", "item_markov")
LATE = {"split": f"time:{SPLIT_US // 60_000_000}", "protocol": "session_next"}
COLUMNS = {"user": "user", "item": "item", "time": "at", "session": "session"}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The planted world as a file of interactions, rows in no order."""
    sequences = planted_sequences()
    order = np.random.default_rng(1).permutation(len(sequences.items))
    table = pa.table(
        {
            "user": sequences.users[sequences.sequence_of()][order],
            "item": [f"item-{number:03d}" for number in sequences.items[order]],
            "at": sequences.at_us[order] // 60_000_000,
            "session": sequences.sequence_of()[order],
            "device": [("phone", "desk", None)[user % 3] for user in sequences.users[sequences.sequence_of()][order]],
            "kind": [f"kind-{number % 4}" for number in sequences.items[order]],
        }
    )
    path = tmp_path_factory.mktemp("compare") / "shop.parquet"
    pq.write_table(table, path)
    return path


def test_the_answer_has_protocol_counts_models_and_differences(file):
    plain = compare(file, **COLUMNS, **LATE, models=PAIR).to_plain()
    assert set(plain) == {"protocol", "counts", "models", "differences", "slices", "not_fitted"}
    assert set(plain["models"]) == {"popular", "item_markov"}
    markov = plain["models"]["item_markov"]
    assert {"hr@10", "ndcg@10", "mrr@20", "coverage@20", "fit_s", "ci"} <= set(markov)
    assert markov["hr@5"] > 0.9 > plain["models"]["popular"]["hr@5"]
    assert plain["counts"] | {"cases": 316, "rows": 2000, "items": 12, "undefined": 0} == plain["counts"]
    json.dumps(plain, allow_nan=False)


def test_two_runs_give_the_same_numbers_but_for_the_seconds(file):
    first, again = (compare(file, **COLUMNS, models=PAIR).evaluation.to_plain() for _ in range(2))
    assert first == again


def test_leave_one_out_asks_for_each_users_last_item_and_says_what_was_fitted(file):
    found = compare(file, user="user", item="item", time="at", ks=(3,), models=PAIR)
    assert found.counts["cases"] == 200
    assert "validation" in found.protocol["final_fit"]
    assert "fitted on: all but each user's last item" in found.text()


def test_seen_items_can_be_dropped(file):
    kept, dropped = (compare(file, **COLUMNS, seen=seen, models=PAIR) for seen in ("keep", "drop"))
    assert kept.counts["undefined"] == 0
    assert dropped.counts["undefined"] > 0
    assert "seen items dropped" in dropped.text()


def test_the_table_names_models_and_seconds(file):
    text = compare(file, **COLUMNS, models=("item_markov",)).text()
    assert "item_markov" in text
    assert "fitted in: item_markov" in text


def test_by_default_all_models_that_are_installed_are_asked_and_a_budget_names_those_it_has_no_room_for(file):
    ticks = iter(range(0, 10**12, 10_000_000))  # ten seconds go by at each look at the clock
    found = compare(file, **COLUMNS, **LATE, budget_s=15, clock=lambda: next(ticks))
    assert set(found.evaluation.models) == set(PAIR)
    assert set(found.evaluation.not_fitted) == set(algorithm_names()) - set(PAIR)
    assert found.protocol["budget_s"] == 15
    assert "sequence: not started: 0.0 s of the budget of 15 s were left" in found.text()


def test_values_of_a_column_are_measured_each_with_their_cases(file):
    found = compare(file, **COLUMNS, **LATE, models=PAIR, segment="device", category="kind").to_plain()
    devices = {name: each for name, each in found["slices"].items() if name.startswith("device=")}
    assert set(devices) == {"device=", "device=desk", "device=phone"}
    assert sum(each["cases"] for each in devices.values()) == found["counts"]["cases"]
    assert devices["device=phone"]["models"]["item_markov"]["hr@5"] > 0.9
    assert "item_markov - popular" in devices["device=phone"]["differences"]
    assert "diversity@5" in found["models"]["item_markov"]
    assert found["protocol"]["segment"] == "device"


def test_a_file_of_orders_is_asked_for_whole_baskets_by_settings_for_them(tmp_path):
    customers, orders = np.arange(300).repeat(8), np.tile(np.arange(4).repeat(2), 300)
    # Everyone buys two items of his own again and again.
    items = (customers % 20) * 2 + np.tile([0, 1], 1200)
    pq.write_table(pa.table({"user": customers, "item": items, "at": orders}), tmp_path / "orders.parquet")
    asked = {"user": "user", "item": "item", "time": "at", "split": "time:3", "protocol": "next_basket"}
    found = compare(tmp_path / "orders.parquet", **asked, models=("recent", "blend"))
    plain = found.to_plain()
    assert plain["counts"] | {"cases": 300, "users": 300} == plain["counts"]
    assert plain["models"]["recent"]["recall@5"] == plain["models"]["blend"]["recall@5"] == 1
    assert "recall@20" in found.text()


@pytest.mark.parametrize(
    ("change", "kind", "code"),
    [
        ({"models": ("popuar",)}, ModelError, Code.MODEL_UNKNOWN),
        ({"split": "time:999999"}, DataError, Code.SPLIT_EMPTY),
        ({"split": "time:0"}, DataError, Code.SPLIT_EMPTY),
        ({"split": "time:2016-09-15"}, UsageError, Code.USAGE),
        ({"split": "time:soon"}, UsageError, Code.USAGE),
        ({"split": "half"}, UsageError, Code.USAGE),
        ({"protocol": "session_next"}, UsageError, Code.USAGE),
        ({"protocol": "next_basket"}, UsageError, Code.USAGE),
        ({"protocol": "next_basket", "split": "time:9"}, UsageError, Code.USAGE),
        ({"protocol": "session_next", "split": "time:9", "session": None}, UsageError, Code.USAGE),
        ({"protocol": "nxt"}, UsageError, Code.USAGE),
        ({"seen": "kept"}, UsageError, Code.USAGE),
        ({"ks": ()}, UsageError, Code.USAGE),
        ({"ks": (0, 5)}, UsageError, Code.USAGE),
        ({"budget_s": 0}, UsageError, Code.USAGE),
        ({"segment": "devise"}, DataError, Code.INTERACTIONS_COLUMN),
        ({"item": "itm"}, DataError, Code.INTERACTIONS_COLUMN),
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_fix(file, change, kind, code):
    with pytest.raises(EndcapError) as caught:
        compare(file, **(COLUMNS | {"models": PAIR} | change))
    assert isinstance(caught.value, kind)
    assert caught.value.code == code
    assert caught.value.fix
