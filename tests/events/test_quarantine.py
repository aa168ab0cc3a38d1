import pytest

DAY = "2026-08-01"
MUG = {"item_id": "mug", "price": 9.5}
COOKIE = "cookie-of-ann"


def test_a_rejected_row_is_traced_and_names_nobody(tmp_path, config, ga4_event, write_ga4, take_in):
    bad = {"item_id": "pen", "price": -1.0}
    write_ga4(tmp_path, DAY, [
        ga4_event("search", 0),
        ga4_event("view_item", 1, MUG, bad, bad, cookie=COOKIE),
        ga4_event("dance", 2, MUG, cookie=COOKIE),
        ga4_event("view_item", 3, MUG, cookie=None),
    ])  # fmt: skip
    rows = take_in(tmp_path, config).quarantine
    assert [(row["source_row"], row["item_ordinal"], row["reason"]) for row in rows] == [
        (1, 2, "price_negative"),
        (1, 3, "price_negative"),
        (2, 0, "event_name_unknown"),
        (3, 0, "user_missing"),
    ]
    assert COOKIE not in str(rows)
    assert rows[0]["user_key"] == rows[2]["user_key"]
    assert rows[3]["user_key"] is None
    assert len({row["row_digest"] for row in rows}) == 4


@pytest.mark.parametrize(
    "name",
    ["newsletter ann@shop.example", "open ann%40shop.example", "from 10.0.0.1", COOKIE, f"x-{COOKIE}-x", "é" * 101],
)
def test_an_event_name_that_may_name_a_person_is_hidden_everywhere(
    tmp_path, config, ga4_event, write_ga4, take_in, name
):
    write_ga4(tmp_path, DAY, [ga4_event("search", 0, cookie="s"), ga4_event(name, 1, cookie=COOKIE)])
    taken = take_in(tmp_path, config)
    [bad] = taken.quarantine
    assert (bad["event_name"], bad["detail"]) == ("(hidden)", "event_name = (hidden)")
    assert {told for told, _, _ in taken.counts} == {"search", "(hidden)"}
    assert len(taken.events) == 1  # a known name stays, whatever the id


@pytest.mark.parametrize("name", ["dance", "é" * 100, "page 1.2.3"])
def test_an_event_name_that_names_nobody_is_told(tmp_path, config, ga4_event, write_ga4, take_in, name):
    write_ga4(tmp_path, DAY, [ga4_event("search", 0), ga4_event(name, 1)])
    assert [row["event_name"] for row in take_in(tmp_path, config).quarantine] == [name]
