"""On the shop of three days of March, four days apart, that the fixture `hand` makes."""

from endcap.core.tables import EXAMPLES, ITEM_FEATURES, SEQUENCES, USER_FEATURES
from endcap.flows.feature_steps import plan_examples


def test_features_of_the_day_after_the_last_know_all_days(hand, rows_of):
    windows = ("num_views_1d", "num_views_7d", "num_views_30d", "num_carts_7d", "days_since_seen")
    rows = rows_of(hand, USER_FEATURES, ["2026-03-10"])
    assert sorted(tuple(row[name] for name in windows) for row in rows) == [(0, 1, 3, 1, 5), (2, 4, 4, 0, 1)]
    rows = rows_of(hand, ITEM_FEATURES, ["2026-03-10"])
    told = ("item_id", "num_views_7d", "num_views_30d", "days_since_first_seen", "days_since_seen")
    assert [tuple(row[name] for name in told) for row in rows] == [
        ("A", 1, 2, 9, 5),
        ("B", 2, 3, 9, 1),
        ("C", 2, 2, 5, 1),
    ]


def test_a_session_and_what_its_user_did_before_stand_in_order(hand, rows_of):
    rows = rows_of(hand, SEQUENCES, ["2026-03-09"])
    assert [(row["scope"], row["item_ids"]) for row in rows] == [("session", ["B", "C"]), ("user", ["A", "B"])]


def test_examples_draw_their_negatives_from_the_days_before(hand, rows_of):
    rows = rows_of(hand, EXAMPLES)
    assert [(row["context_item_ids"], row["item_id"]) for row in rows] == [(["A"], "B"), (["A"], "B"), (["B"], "C")]
    assert [len(row["negative_item_ids"]) for row in rows] == [0, 4, 4]
    assert set(rows[1]["negative_item_ids"]) <= {"A", "B"}
    assert [row["negative_kinds"] for row in rows] == [["popularity"] * len(row["negative_p"]) for row in rows]


def test_unclicked_negatives_depend_on_what_was_shown_until_the_day_after(own_shop, flow_of):
    def shown_needed(day):
        return {name for name in plan_examples(flow_of(own_shop))[day] if name.startswith("exposures/")}

    assert shown_needed("2026-01-02") == set()
    told = (own_shop / "endcap.toml").read_text()
    (own_shop / "endcap.toml").write_text(told + '\n[[features.negatives]]\nkind = "unclicked"\n')
    assert shown_needed("2026-01-02") == {"exposures/2026-01-02", "exposures/2026-01-03"}
