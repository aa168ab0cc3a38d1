import pyarrow as pa

from endcap.events.counts import COUNTS_COLUMNS, count_outcomes


def test_an_event_counts_as_the_best_that_became_of_a_row(engine, arrow_rows):
    events = engine.read_arrow(pa.table({
        "event_no": [1, 2], "date_partition": ["2026-08-01"] * 2, "event_name_read": ["view_item", None]}))  # fmt: skip
    rows = engine.read_arrow(pa.table({"event_no": [1, 1, 1, 2]}))
    outcomes = {"outcome": ["folded", "quarantined", "ignored"], "reason": ["", "price_negative", "no_rule"]}
    by_event = engine.read_arrow(pa.table({"event_no": [1, 1, 2], "num_rows": [2, 1, 1], **outcomes}))
    counted = arrow_rows(count_outcomes(events, rows, by_event))
    assert tuple(counted[0]) == COUNTS_COLUMNS
    told = {(row["event_name"], row["outcome"], row["reason"]): (row["num_events"], row["num_rows"]) for row in counted}
    assert told == {
        ("view_item", "read", ""): (1, 3),
        ("view_item", "folded", ""): (1, 2),
        ("view_item", "quarantined", "price_negative"): (0, 1),
        ("", "read", ""): (1, 1),
        ("", "ignored", "no_rule"): (1, 1),
    }
    assert isinstance(counted[0]["num_rows"], int)
