import re

from endcap.monitoring.quality_page import quality_page
from endcap.monitoring.quality_tables import day_quality

DAY = "2026-03-02"


def page(country="DE", shop="tiny"):
    numbers = {("", "", "events"): 3, ("view_item", "", "events"): 3, ("", "country", f"value:{country}"): 3}
    rows = [
        {"date_partition": DAY, "event_name": key[0], "column_name": key[1], "measure": key[2], "value": value}
        for key, value in numbers.items()
    ]
    found = day_quality(DAY, rows)
    return found, quality_page(found, shop=shop)


def test_the_page_says_the_conclusion_first_and_adds_none():
    found, text = page()
    assert f"<h1>{found.report.overall.sentence}</h1>" in text
    assert all(check.sentence in text for check in found.report.checks)


def test_the_page_stands_alone_and_runs_nothing():
    _, text = page()
    assert not re.search(r"<script|<link|<img|src=|https?://(?!www\.w3\.org)| on\w+=| style=", text)
    assert "prefers-color-scheme:dark" in text


def test_what_the_source_wrote_cannot_become_markup():
    _, text = page("<script>alert(1)</script>", "<b>")
    assert "<script>" not in text
    assert "<b>" not in text
    assert "&lt;script&gt;" in text


def test_the_same_day_gives_the_same_bytes():
    assert page()[1] == page()[1]
