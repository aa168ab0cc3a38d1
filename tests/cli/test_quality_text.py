from endcap.cli.quality_text import quality_text
from endcap.monitoring.quality_tables import day_quality

DAY = "2026-03-02"


def test_the_conclusion_comes_first_and_the_numbers_after():
    numbers = {("", "", "events"): 1234, ("view_item", "", "events"): 1234, ("", "at_us", "hour:00"): 1234}
    rows = [
        {"date_partition": DAY, "event_name": key[0], "column_name": key[1], "measure": key[2], "value": value}
        for key, value in numbers.items()
    ]
    found = day_quality(DAY, rows)
    lines = quality_text(found).splitlines()
    assert lines[0] == f"good  {found.report.overall.sentence}"
    assert "Events by hour, UTC  █▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁  0 to 1,234" in lines
    assert any(line.split()[:2] == ["view_item", "1,234"] for line in lines)
