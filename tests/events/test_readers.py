import pytest
from pydantic import TypeAdapter

from endcap.events.config import EventsConfig
from endcap.events.reader_config import AnyReader
from endcap.events.readers import LANDING, reader_of

KINDS = {
    "ga4": {"kind": "ga4"},
    "segment": {"kind": "segment"},
    "snowplow": {"kind": "snowplow"},
    "vertex": {"kind": "vertex"},
    "mapped": {"kind": "mapped", "time": "at", "user_id": "who", "constant_event_name": "view_item"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_its_reader(kind, tmp_path):
    config = EventsConfig(source=".", reader=TypeAdapter(AnyReader).validate_python(KINDS[kind]))
    reader = reader_of(kind, config)
    (tmp_path / "a.jsonl").write_text("{torn\n")
    table = reader.open_text(tmp_path / "a.jsonl")
    assert (table["_file"].to_pylist(), table["_row"].to_pylist()) == (["a.jsonl"], [0])
    assert table["_fault"].to_pylist() == ["line_unreadable"]
    assert reader.claims_day == (kind == "ga4")


def test_every_kind_of_the_settings_is_tried_above():
    kinds = {each.model_fields["kind"].default for each in AnyReader.__args__}
    assert kinds == set(KINDS)


def test_what_the_server_lands_has_a_reader_whatever_the_shops_is():
    reader = reader_of(LANDING, EventsConfig(source="."))
    assert (list(reader.needed), reader.claims_day) == ([], False)


def test_a_bad_line_of_any_nested_source_is_quarantined_with_its_place(tmp_path, take_in):
    """Two good calls, a torn one between them, and one whose price is no number."""
    good = '{"type": "track", "event": "Product Viewed", "messageId": "m%d", "anonymousId": "c", '
    good += (
        '"timestamp": "2026-08-01T10:00:0%dZ", "properties": {"product_id": "mug", "price": %s, "currency": "EUR"}}\n'
    )
    lines = [good % (1, 1, 9.5), "{torn\n", good % (2, 2, '"free"'), good % (3, 3, 8), '{"type": "page"}\n']
    (tmp_path / "calls.jsonl").write_text("".join(lines))
    config = TypeAdapter(EventsConfig).validate_python(
        {"source": ".", "reader": {"kind": "segment"}, "max_bad_share": 0.9}
    )
    taken = take_in(tmp_path, config)
    assert [(event["event_name"], event["price_minor"]) for event in taken.events] == [
        ("view_item", 950),
        ("view_item", 800),
    ]
    bad = sorted((row["source_row"], row["reason"], row["source_file"]) for row in taken.quarantine)
    assert bad == [(1, "line_unreadable", "calls.jsonl"), (2, "price_not_a_number", "calls.jsonl")]
    assert taken.counts["page", "ignored", "event_not_of_shop"] == (1, 1)
