from endcap.monitoring.quality_tables import day_quality

DAY = "2026-03-02"
NUMBERS = {
    ("", "", "events"): 10, ("view_item", "", "events"): 10, ("view_item", "", "rows"): 12,
    ("view_item", "price_minor", "missing"): 3, ("view_item", "price_minor", "known"): 9,
    ("view_item", "price_minor", "p50"): 1990, ("", "at_us", "hour:09"): 10, ("", "lateness_us", "p50"): 1_500_000,
    ("", "country", "value:DE"): 9, ("", "country", "others"): 1,
    ("view", "", "intake:events_read"): 15, ("view", "", "intake:events_kept"): 10,
    ("view", "", "intake:events_deduplicated"): 3, ("view", "", "intake:events_quarantined:future"): 2,
    ("view", "", "intake:rows_read"): 20, ("view", "", "intake:rows_quarantined:future"): 2,
}  # fmt: skip
ROWS = [
    {"date_partition": DAY, "event_name": key[0], "column_name": key[1], "measure": key[2], "value": value}
    for key, value in NUMBERS.items()
]


def table(title):
    found = next(each for each in day_quality(DAY, ROWS).tables if each.title.startswith(title))
    return {row[0].text: dict(zip(found.heads, (cell.text for cell in row), strict=True)) for row in found.rows}


def test_every_table_tells_the_numbers_of_the_profile():
    assert table("Events")["view_item"]["rows"] == "12"
    assert table("Share of rows")["price_minor"]["view_item"] == "25.0%"
    assert table("How values lie")["view_item"]["median"] == "1,990"
    assert table("Lateness")["median, seconds"]["value"] == "1.5"
    assert table("Events by country")["DE"]["share"] == "90.0%"
    assert table("Why rows")["future"]["share"] == "10.0%"


def test_what_became_of_the_events_adds_up_to_what_was_read():
    row = table("What became")["view"]
    assert row["read"] == "15"
    assert sum(int(row[each]) for each in ("kept", "folded", "deduplicated", "quarantined", "ignored")) == 15


def test_hours_without_history_have_nothing_beside_them():
    found = day_quality(DAY, ROWS)
    assert (found.hours[9], found.hours_before) == (10, [])
