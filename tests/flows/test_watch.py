import csv
import json

import pytest

from endcap.core.clock import fixed_clock
from endcap.flows.refresh import refresh
from endcap.flows.watch import plan_monitor
from endcap.metrics.divergence import jensen_shannon

CHECKS = [
    "freshness", "lag", "volume", "mix", "quarantine", "sources", "quality", "index", "prices", "stock", "features"
]  # fmt: skip


def report_of(root):
    return json.loads((root / "reports" / "health.json").read_bytes())


def checks_of(root):
    return {check["name"]: check for check in report_of(root)["checks"]}


def test_the_report_tells_every_check_and_one_conclusion_for_the_day(tiny_shop, morning):
    report = report_of(tiny_shop)
    assert (report["through"], report["at_us"]) == ("2026-01-03", morning())
    assert [check["name"] for check in report["checks"]] == CHECKS
    assert report["overall"]["name"] == "overall"


def test_the_text_says_what_the_report_says(tiny_shop, flow_of):
    report = report_of(tiny_shop)
    lines = (tiny_shop / "reports" / "health.txt").read_text().splitlines()
    for line, check in zip(lines, [report["overall"], *report["checks"]], strict=True):
        assert line.split()[:2] == [check["tone"], check["name"]]
        assert line.endswith(check["sentence"])
    assert flow_of(tiny_shop).ledger.outputs("monitor")[""]["overall"] == report["overall"]["state"]


def test_numbers_are_those_of_the_last_day_and_the_days_before(hand):
    checks = checks_of(hand)  # four events on the fifth, none until the ninth, which has two and a row that is none
    assert checks["volume"]["value"] == pytest.approx(2 / (4 / 4))
    assert checks["freshness"]["value"] == pytest.approx(24 - 10 - 1 / 60)
    assert checks["quarantine"]["value"] == pytest.approx(1 / (4 + 3))
    assert checks["lag"]["value"] == pytest.approx(0.5)
    assert checks["mix"]["value"] == pytest.approx(jensen_shannon([2, 0], [3, 1]))


def test_items_without_a_price_and_out_of_stock_are_counted(hand, tiny_shop):
    assert checks_of(hand)["prices"]["value"] == 1  # nothing told one
    with (tiny_shop / "export" / "catalog.tsv").open() as file:
        feed = list(csv.DictReader(file, delimiter="\t"))
    out = sum(row["availability"] == "out_of_stock" for row in feed) / len(feed)
    assert checks_of(tiny_shop)["stock"]["value"] == pytest.approx(out)
    assert out > 0


def test_data_that_stops_coming_grows_old_from_day_to_day(own_shop, morning):
    assert refresh(own_shop, clock=morning).steps[-1].state == "unchanged"
    lag = checks_of(own_shop)["lag"]["value"]
    later = fixed_clock("2026-02-05T06:00:00")
    assert refresh(own_shop, clock=later).steps[-1].state == "done"
    assert checks_of(own_shop)["lag"]["value"] == pytest.approx(lag + 31)
    assert refresh(own_shop, clock=later).steps[-1].state == "unchanged"


def test_a_bundle_is_compared_with_the_one_before_it_however_often_it_is_looked_at(
    own_shop, flow_of, morning, monkeypatch
):
    monkeypatch.setenv("ENDCAP__MODELS__DEFAULT", "popular")
    refresh(own_shop, clock=morning)
    before = flow_of(own_shop).ledger.outputs("monitor")[""]["measures_before"]
    assert before != flow_of(own_shop).ledger.outputs("monitor")[""]["measures"]
    refresh(own_shop, again=("monitor",), clock=morning)
    assert flow_of(own_shop).ledger.outputs("monitor")[""]["measures_before"] == before


def test_features_are_known_through_the_last_day(hand):
    assert checks_of(hand)["features"]["value"] == 0


def test_quality_is_compared_with_the_bundle_before(tiny_shop, grown_shop, flow_of):
    assert checks_of(tiny_shop)["quality"]["state"] == "first"
    before, now = (
        flow_of(root).ledger.outputs("monitor")[""]["measures"]["ndcg@10"] for root in (tiny_shop, grown_shop)
    )
    assert checks_of(grown_shop)["quality"]["value"] == pytest.approx(1 - now / before)


@pytest.mark.parametrize(
    ("now", "state"),
    [("2026-01-04", "current"), ("2026-01-09", "behind"), ("2026-01-20", "left_behind"), ("2027-01-01", "replay")],
)
def test_how_late_the_data_is_depends_on_the_clock_alone(now, state, own_shop):
    refresh(own_shop, verbs=("ingest", "monitor"), again=("monitor",), clock=fixed_clock(now))
    assert checks_of(own_shop)["lag"]["state"] == state


def test_limits_are_those_of_the_settings(own_shop, morning, monkeypatch):
    before = checks_of(own_shop)["stock"]["tone"]
    monkeypatch.setenv("ENDCAP__MONITORING__OUT_OF_STOCK_SHARE", "{warn = 0.0, bad = 0.001}")
    told = refresh(own_shop, verbs=("ingest", "monitor"), clock=morning)
    assert (before, checks_of(own_shop)["stock"]["tone"]) == ("good", "bad")
    assert told.steps[-1].note == report_of(own_shop)["overall"]["sentence"]
    assert "stock" in told.steps[-1].note


def test_nothing_is_judged_before_there_is_a_bundle(fresh_shop, flow_of):
    assert plan_monitor(flow_of(fresh_shop)) == {}
    assert not (fresh_shop / "reports").exists()
