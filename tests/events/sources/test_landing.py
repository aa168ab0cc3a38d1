from endcap.core.clock import day_start_us

DAY = "2026-08-01"
AT = day_start_us(DAY) + 5
LINE = {
    "event_id": "1" * 32,
    "event_name": "view_item",
    "at_us": AT,
    "received_us": AT + 9,
    "user_key": "a" * 32,
    "device_key": "b" * 32,
    "source_session_id": None,
    "currency": None,
    "value_minor": 1999,
    "transaction_id": None,
    "item_list_id": "home",
    "search_term": None,
    "recommendation_id": "r1",
    "country": None,
    "device_category": None,
    "items": [
        {"item_id": "mug", "item_name": None, "item_variant": None, "price_minor": 1999, "quantity": 2, "place": 3}
    ],
}


def test_landed_events_keep_their_keys_and_ids(tmp_path, config, ga4_event, write_ga4, take_in, write_lines):
    drop, landing = tmp_path / "drop", tmp_path / "landing"
    write_ga4(drop, DAY, [ga4_event("search", 1)])
    bare = LINE | {"event_id": "2" * 32, "event_name": "search", "items": []}
    raw = LINE | {"event_id": "3" * 32, "user_key": "ann@example.org"}
    huge = [LINE | {"at_us": 10**30}, LINE | {"items": [{"item_id": "mug", "price_minor": 2**63}]}]
    write_lines(landing / "w0-1.jsonl", [LINE, LINE, bare, raw, '{"event_id": "torn', *huge])
    taken = take_in(drop, config, landing=landing)
    landed = {row["event_id"]: row for row in taken.events if row["user_key"] == "a" * 32}
    assert set(landed) == {"1" * 32, "2" * 32}
    mug = landed["1" * 32]
    assert (mug["item_id"], mug["price_minor"], mug["value_minor"], mug["quantity"], mug["place"]) == (
        "mug",
        1999,
        1999,
        2,
        3,
    )
    assert (mug["received_us"], mug["device_key"], mug["item_list_id"], mug["recommendation_id"]) == (
        AT + 9, "b" * 32, "home", "r1")  # fmt: skip
    assert taken.counts["view_item", "deduplicated", ""] == (1, 1)
    assert [(row["reason"], row["source_row"]) for row in taken.quarantine] == [
        ("user_missing", 3),
        ("line_unreadable", 4),
        ("line_unreadable", 5),
        ("line_unreadable", 6),
    ]
    assert "ann" not in str(taken.quarantine)
