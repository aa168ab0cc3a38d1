import msgspec

from endcap.core.slate import Reason, Slate, SlateItem
from endcap.events.slates import LandedSlate
from endcap.events.sources.landing import LandedEvent as ReadEvent
from endcap.serving.landed import LandedEvent, LandedItem, landed_slate, read_segment, segments_since


def test_an_event_is_one_line_with_every_field_in_order():
    event = LandedEvent(
        event_id="e", event_name="search", at_us=1, received_us=2, user_key="u", items=(LandedItem(item_id="A"),)
    )
    assert msgspec.json.encode(event) == (
        b'{"event_id":"e","event_name":"search","at_us":1,"received_us":2,"user_key":"u","device_key":null,'
        b'"source_session_id":null,"currency":null,"value_minor":null,"transaction_id":null,"item_list_id":null,'
        b'"search_term":null,"recommendation_id":null,"country":null,"device_category":null,"items":[{"item_id":"A",'
        b'"item_name":null,"item_variant":null,"price_minor":null,"quantity":null,"place":null}]}'
    )


def test_a_slate_is_one_line_with_what_decided_it():
    item = SlateItem(item_id="A", place=1, score=0.5, source="popular", reasons=(Reason("popular"),), title="Ant")
    slate = Slate(
        recommendation_id="r", placement="home", items=(item,), variant=None, model_version="b", fallback="model_failed"
    )
    assert msgspec.json.encode(landed_slate(slate, at_us=7, user_key=None)) == (
        b'{"recommendation_id":"r","at_us":7,"user_key":null,"placement":"home","model_version":"b","variant":null,'
        b'"fallback":"model_failed","items":[{"item_id":"A","place":1,"score":0.5,"source":"popular",'
        b'"propensity":1.0}]}'
    )


def test_the_batch_side_reads_what_is_written():
    assert ReadEvent.__struct_fields__[:4] == ("event_id", "event_name", "at_us", "user_key")
    assert set(ReadEvent.__struct_fields__) == set(LandedEvent.__struct_fields__)
    assert {"recommendation_id", "at_us", "items", "fallback"} <= set(LandedSlate.__struct_fields__)


def test_segments_are_found_by_when_they_began(tmp_path):
    for name in ("0000000000000005-1-1.jsonl", "0000000000000009-1-1.jsonl.open", "0000000000000004-1-1.jsonl"):
        (tmp_path / name).touch()
    assert [path.name[15] for path in segments_since(tmp_path, 5)] == ["5", "9"]
    assert segments_since(tmp_path / "nowhere", 0) == []


def test_a_segment_that_was_closed_meanwhile_is_still_read(tmp_path):
    line = msgspec.json.encode(LandedEvent(event_id="e", event_name="search", at_us=1, received_us=2, user_key="u"))
    (tmp_path / "1-1-1.jsonl").write_bytes(b"junk\n" + line + b"\n" + line[:9])
    assert [event.event_id for event in read_segment(tmp_path / "1-1-1.jsonl.open")] == ["e"]
