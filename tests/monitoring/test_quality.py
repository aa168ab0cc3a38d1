import pytest

from endcap.core.clock import days_between
from endcap.monitoring.quality import judge_day
from endcap.monitoring.verdict import VERDICTS

DAYS = days_between("2026-03-01", "2026-04-05")
DAY = DAYS[-1]


def rows(day, **changed):
    """A day of 2,400 views, 100 in each hour, one in ten without a price."""
    views = changed.get("views", 2400)
    numbers = {
        ("", "", "events"): views, ("", "", "visitors"): views // 4, ("", "", "items"): 50,
        ("view_item", "", "events"): views, ("view_item", "", "rows"): views,
        ("view_item", "price_minor", "missing"): changed.get("missing", views // 10),
    }  # fmt: skip
    numbers |= {("", "at_us", f"hour:{hour:02d}"): 100 for hour in range(24) if hour not in changed.get("silent", ())}
    return [
        {"date_partition": day, "event_name": key[0], "column_name": key[1], "measure": key[2], "value": value}
        for key, value in numbers.items()
    ]


def judged(days=DAYS, **changed):
    return judge_day(DAY, [row for day in days for row in rows(day, **(changed if day == DAY else {}))])


def states(report):
    return {check.name: check.state for check in [report.overall, *report.checks]}


def test_a_day_like_all_others_is_as_usual():
    report = judged()
    assert states(report) == {"data": "usual", "days": "complete", "hours": "full"}
    assert report.findings == []


def test_a_day_of_half_the_events_is_broken_and_says_by_what():
    report = judged(views=1200)
    assert report.overall.state == "broken"
    assert {"Events", "Visitors", "Events of view_item"} == {each.name for each in report.findings}
    assert "Visitors: 300, usually" in report.overall.sentence or "Events: 1,200, usually" in report.overall.sentence


def test_a_column_that_is_missing_more_often_is_found():
    (finding,) = judged(missing=360).findings
    assert finding.name == "Missing price_minor of view_item"
    assert finding.check.sentence.startswith("Missing price_minor of view_item: 15.0%, usually ")
    assert finding.low <= 0.1 <= finding.high < finding.value == pytest.approx(0.15)


@pytest.mark.parametrize(("silent", "state"), [((3,), "silent"), ((3, 4, 5), "dark")])
def test_hours_that_fell_silent_are_named(silent, state):
    (check,) = [check for check in judged(silent=silent).checks if check.name == "hours"]
    assert check.state == state
    assert ", ".join(f"{hour:02d}" for hour in silent) in check.sentence


def test_a_missing_day_is_named():
    report = judged([day for day in DAYS if day != "2026-03-20"])
    assert states(report)["days"] == "gaps"
    assert "2026-03-20" in report.overall.sentence


def test_a_young_shop_says_that_too_little_is_known():
    report = judged(DAYS[-5:], views=3)
    assert states(report) == {"data": "young", "days": "complete", "hours": "young"}
    assert report.overall.sentence == (f"4 days before {DAY} are too few to say what is usual: 14 are needed.")
    assert {each.check.state for each in report.figures} == {"young"}


def test_other_days_and_the_order_of_rows_do_not_matter():
    own = [row for day in DAYS for row in rows(day)]
    others = rows("2026-04-06", views=9) + rows("2025-01-01", views=9)
    assert judge_day(DAY, [*others, *own[::-1]]) == judge_day(DAY, own)


def test_every_state_has_been_seen():
    reports = [judged(), judged(views=1200), judged(missing=300), judged(silent=(3,)), judged(silent=(3, 4, 5)),
               judged(DAYS[-5:]), judged(DAYS[:20] + DAYS[21:]), judged(missing=320)]  # fmt: skip
    seen = {
        (check.name, check.state)
        for report in reports
        for check in [report.overall, *report.checks, *(figure.check for figure in report.figures)]
    }
    wanted = {(name, state) for name in ("data", "figure", "hours", "days") for state in VERDICTS[name]}
    assert wanted - seen == set()
