import dataclasses

import msgspec
import pytest

from endcap.core.clock import DAY_US, day_start_us, days_between
from endcap.monitoring.config import MonitoringConfig
from endcap.monitoring.health import HealthReport, Observed, health
from endcap.monitoring.verdict import VERDICTS, Tone

THROUGH = "2026-03-08"
HOUR_US = 3_600_000_000
END_US = day_start_us(THROUGH) + DAY_US
USUAL = {"view_item": 80, "add_to_cart": 16, "purchase": 4}
WELL = Observed(
    through=THROUGH,
    now_us=END_US + 3 * HOUR_US,
    newest_event_us=END_US - HOUR_US // 2,
    num_events=dict.fromkeys(days_between("2026-03-01", THROUGH), USUAL),
    num_source_rows=800,
    measures={"ndcg@10": 0.2},
    measures_before={"ndcg@10": 0.2},
    index_recall=1.0,
    num_items=100,
    num_without_price=7,
    num_out_of_stock=2,
    features_through=THROUGH,
)


def after_a_day_of(counts):
    return {"num_events": {**WELL.num_events, THROUGH: counts}}


# Check, state, what is seen instead, and the sentence.
SEEN = [
    ("freshness", "fresh", {}, "The newest event is 0.5 h before the end of 2026-03-08."),
    (
        "freshness",
        "late",
        {"newest_event_us": END_US - 4 * HOUR_US},
        "The newest event is 4.0 h before the end of 2026-03-08: the day may not be complete.",
    ),
    (
        "freshness",
        "stale",
        {"newest_event_us": END_US - 17 * HOUR_US},
        "The newest event is 17.0 h before the end of 2026-03-08: the day is not complete.",
    ),
    ("freshness", "empty", {"newest_event_us": None}, "There is no event up to 2026-03-08."),
    ("lag", "current", {}, "The data ends 0.1 days ago."),
    (
        "lag",
        "behind",
        {"now_us": END_US + 3 * DAY_US},
        "The data ends 3.0 days ago, more than 2 days: a refresh is missing.",
    ),
    (
        "lag",
        "left_behind",
        {"now_us": END_US + 8 * DAY_US},
        "The data ends 8.0 days ago, more than 7 days: recommendations are old.",
    ),
    (
        "lag",
        "replay",
        {"now_us": END_US + 3_700 * DAY_US},
        "The data ends 3700 days ago, more than 90: taken for a replay of history.",
    ),
    ("volume", "steady", {}, "2026-03-08 has 100 events, 1.00 times the mean of the 7 days before."),
    (
        "volume",
        "first",
        {"num_events": {THROUGH: USUAL}},
        "2026-03-08 has 100 events; there are no days before to compare with.",
    ),
    (
        "volume",
        "unusual",
        after_a_day_of({"view_item": 30}),
        "2026-03-08 has 30 events, 0.30 times the mean of the 7 days before: more than 2.5 times off.",
    ),
    (
        "volume",
        "unusual",
        after_a_day_of({"view_item": 300}),
        "2026-03-08 has 300 events, 3.00 times the mean of the 7 days before: more than 2.5 times off.",
    ),
    (
        "volume",
        "broken",
        after_a_day_of({"view_item": 10}),
        "2026-03-08 has 10 events, 0.10 times the mean of the 7 days before: more than 6 times off.",
    ),
    ("volume", "empty", after_a_day_of({}), "2026-03-08 has no events; the 7 days before have some."),
    ("mix", "steady", {}, "The event names of 2026-03-08 are as in the 7 days before (0.0000 bits)."),
    (
        "mix",
        "first",
        {"num_events": {THROUGH: USUAL}},
        "There are no days to compare the event names of 2026-03-08 with.",
    ),
    (
        "mix",
        "shifted",
        after_a_day_of({"view_item": 96, "purchase": 4}),
        (
            "The event names of 2026-03-08 differ from the 7 days before by 0.085 bits, more than 0.02; "
            "most of all add_to_cart: 0.0% after 16.0%."
        ),
    ),
    (
        "mix",
        "broken",
        after_a_day_of({"add_to_cart": 96, "purchase": 4}),
        (
            "The event names of 2026-03-08 differ from the 7 days before by 0.629 bits, more than 0.1; "
            "most of all view_item: 0.0% after 80.0%."
        ),
    ),
    ("quarantine", "clean", {}, "No row of 800 is in quarantine."),
    (
        "quarantine",
        "few",
        {"quarantined": {"price-text": 3, "future": 1}},
        "4 of 800 rows (0.50%) are in quarantine, most for price-text.",
    ),
    (
        "quarantine",
        "many",
        {"quarantined": {"b": 8, "a": 8}},
        "16 of 800 rows (2.00%) are in quarantine, more than 1.00%, most for a.",
    ),
    (
        "quarantine",
        "too_many",
        {"quarantined": {"a": 800}},
        "800 of 800 rows (100.00%) are in quarantine, more than 5.00%, most for a.",
    ),
    ("quality", "kept", {}, "ndcg@10 is 0.2000 after 0.2000 of the bundle before."),
    ("quality", "kept", {"measures": {"ndcg@10": 0.3}}, "ndcg@10 is 0.3000 after 0.2000 of the bundle before."),
    (
        "quality",
        "first",
        {"measures_before": {}},
        "ndcg@10 is 0.2000; there is no bundle before to compare with.",
    ),
    (
        "quality",
        "lower",
        {"measures": {"ndcg@10": 0.18}},
        "ndcg@10 is 0.1800 after 0.2000 of the bundle before: 10.0% lower, more than 5.0%.",
    ),
    (
        "quality",
        "much_lower",
        {"measures": {"ndcg@10": 0.1}},
        "ndcg@10 is 0.1000 after 0.2000 of the bundle before: 50.0% lower, more than 15.0%.",
    ),
    (
        "quality",
        "unknown",
        {"measures": {"ndcg@10": None}},
        "ndcg@10 could not be measured: the test days have too few cases.",
    ),
    (
        "quality",
        "unknown",
        {"measures": {"ndcg@10": float("nan")}},
        "ndcg@10 could not be measured: the test days have too few cases.",
    ),
    ("sources", "read", {}, "All files of the source can be read."),
    (
        "sources",
        "refused",
        {"refused": {"2026-03-08": ["b", "a"]}},
        "2 files of the source cannot be read, a first: 2026-03-08 goes on without what came.",
    ),
    (
        "sources",
        "bad",
        {"refused": {"2026-03-07": [], "2026-03-08": []}},
        "2 days from 2026-03-07 to 2026-03-08 go on without what came: it is empty, damaged or mostly bad.",
    ),
    ("index", "exact", {}, "The index finds 100.00% of the exact best items."),
    (
        "index",
        "lossy",
        {"index_recall": 0.97},
        "The index finds 97.00% of the exact best items: it loses more than 1.0%.",
    ),
    (
        "index",
        "broken",
        {"index_recall": 0.8},
        "The index finds 80.00% of the exact best items: it loses more than 5.0%.",
    ),
    ("index", "none", {"index_recall": None}, "No model of this bundle needs an index."),
    ("prices", "known", {}, "7 of 100 items (7.0%) have no price."),
    ("prices", "missing", {"num_without_price": 20}, "20 of 100 items (20.0%) have no price, more than 10%."),
    ("prices", "mostly_missing", {"num_without_price": 60}, "60 of 100 items (60.0%) have no price, more than 50%."),
    ("prices", "no_items", {"num_items": 0}, "There are no items."),
    ("stock", "stocked", {}, "2 of 100 items (2.0%) are out of stock."),
    ("stock", "thin", {"num_out_of_stock": 40}, "40 of 100 items (40.0%) are out of stock, more than 30%."),
    ("stock", "sold_out", {"num_out_of_stock": 90}, "90 of 100 items (90.0%) are out of stock, more than 80%."),
    ("stock", "no_items", {"num_items": 0}, "There are no items."),
    ("features", "current", {}, "The features know all events through 2026-03-08."),
    (
        "features",
        "behind",
        {"features_through": "2026-03-07"},
        "The features know events through 2026-03-07, those of 2026-03-08 are missing.",
    ),
    (
        "features",
        "left_behind",
        {"features_through": "2026-03-01"},
        "The features know events through 2026-03-01, those of 2026-03-08 are missing.",
    ),
    ("features", "none", {"features_through": None}, "There are no features."),
    ("overall", "healthy", {}, "All 11 checks are good."),
    (
        "overall",
        "watch",
        {"num_without_price": 20},
        "Of 11 checks 1 came out with a warning: prices.",
    ),
    (
        "overall",
        "act",
        {"num_items": 0},
        "Of 11 checks 2 came out bad: prices, stock.",
    ),
    (
        "overall",
        "act_and_watch",
        {"index_recall": 0.5, "num_out_of_stock": 40},
        "Of 11 checks 1 came out bad: index; 1 with a warning: stock.",
    ),
]


def judged(**changed):
    report = health(dataclasses.replace(WELL, **changed), MonitoringConfig())
    return {check.name: check for check in [*report.checks, report.overall]}


@pytest.mark.parametrize(("name", "state", "changed", "sentence"), SEEN)
def test_what_is_seen_is_told(name, state, changed, sentence):
    check = judged(**changed)[name]
    assert (check.state, check.sentence) == (state, sentence)


def test_every_state_of_every_check_is_tested_here():
    assert {(name, state) for name, state, _, _ in SEEN} == {
        (name, state) for name in judged() for state in VERDICTS[name]
    }


def test_a_well_shop_is_good_throughout():
    assert {check.tone for check in judged().values()} == {Tone.GOOD}


def test_a_limit_itself_is_not_beyond_it():
    assert judged(num_without_price=10)["prices"].state == "known"
    assert judged(num_without_price=50)["prices"].state == "missing"


def test_half_as_much_and_twice_as_much_are_judged_alike():
    half, twice = after_a_day_of({"view_item": 33}), after_a_day_of({"view_item": 303})
    assert judged(**half)["volume"].tone == judged(**twice)["volume"].tone == Tone.WARN


def test_a_day_without_events_between_days_with_some_counts_in_the_mean():
    days = {day: USUAL for day in days_between("2026-03-01", THROUGH) if day != "2026-03-05"}
    assert judged(num_events=days)["volume"].value == pytest.approx(7 / 6)


def test_a_shop_that_is_three_days_old_is_compared_with_its_own_days():
    days = dict.fromkeys(days_between("2026-03-06", THROUGH), USUAL)
    assert judged(num_events=days)["volume"].sentence.endswith("1.00 times the mean of the 2 days before.")
    days = dict.fromkeys(days_between("2026-03-07", THROUGH), USUAL)
    assert judged(num_events=days)["volume"].sentence.endswith("1.00 times the mean of the day before.")


def test_days_after_the_day_do_not_matter():
    later = {**WELL.num_events, "2026-03-09": {"refund": 10_000}}
    assert judged(num_events=later) == judged()


def test_a_shop_without_anything_gets_a_report_and_no_error():
    empty = Observed(through=THROUGH, now_us=END_US, newest_event_us=None, num_events={}, num_source_rows=0)
    report = health(empty, MonitoringConfig())
    assert report.overall.sentence == (
        "Of 11 checks 4 came out bad: freshness, prices, stock, features; 1 with a warning: quality."
    )


def test_the_limits_come_from_the_settings():
    config = MonitoringConfig.model_validate({"no_price_share": {"warn": 0.01, "bad": 0.02}})
    assert health(WELL, config).overall.sentence == "Of 11 checks 1 came out bad: prices."


def test_a_report_survives_json():
    report = health(WELL, MonitoringConfig())
    assert msgspec.json.decode(msgspec.json.encode(report), type=HealthReport) == report
