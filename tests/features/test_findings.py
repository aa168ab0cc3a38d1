import json
from pathlib import Path

from endcap.features.findings import LEAKS, Finding, LeakageReport, in_order

DOCS = Path(__file__).parents[2] / "docs" / "leakage.md"


def finding(name, column="price_minor"):
    return Finding(name, "item_features", column, 3, 40, "day 2016-09-02, item_id A", "700, from its past 500")


def test_a_finding_tells_where_how_many_and_what_to_do():
    assert str(finding("price-of-a-later-version")).splitlines() == [
        "price-of-a-later-version: a price of a day is that of a catalogue version that began on that day or later",
        "  where: item_features.price_minor, 3 of 40 rows",
        "  such as: day 2016-09-02, item_id A: 700, from its past 500",
        "  fix: take the version with valid_from_us <= instant < valid_to_us",
    ]


def test_a_report_without_findings_tells_how_much_was_looked_at():
    report = LeakageReport((), tuple(LEAKS), 1_234, left_out=("ids",), notes=("a sample",))
    assert report.text().splitlines() == [
        f"no findings: {len(LEAKS)} kinds of leak looked for in 1,234 rows",
        "left out: ids",
        "note: a sample",
    ]
    assert json.loads(json.dumps(report.to_plain()))["findings"] == []


def test_a_report_counts_its_findings_and_tells_each_with_its_fix():
    report = LeakageReport((finding("price-of-a-later-version"),), tuple(LEAKS), 40)
    assert report.text().startswith("1 finding: ")
    told = report.to_plain()["findings"][0]
    assert (told["name"], told["rows"], told["fix"]) == (
        "price-of-a-later-version", 3, LEAKS["price-of-a-later-version"][1]
    )  # fmt: skip


def test_findings_stand_in_the_order_of_the_list_of_leaks():
    found = [
        finding("column-is-a-clock"),
        finding("feature-counts-its-day", "b"),
        finding("feature-counts-its-day", "a"),
    ]
    assert [(each.name, each.column) for each in in_order(found)] == [
        ("feature-counts-its-day", "a"), ("feature-counts-its-day", "b"), ("column-is-a-clock", "price_minor")
    ]  # fmt: skip


def test_the_docs_have_a_line_for_every_leak_and_for_no_other():
    lines = [line for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    assert [line.split("`")[1] for line in lines] == list(LEAKS)
