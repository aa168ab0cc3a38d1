import msgspec

from endcap.core.landed import LandedEvent
from endcap.core.slate import Reason, Slate, SlateItem
from endcap.events.slates import read_slates, slate_files
from endcap.serving.landed import landed_slate, read_segment, segments_since


def test_a_slate_is_one_line_with_what_decided_it():
    item = SlateItem(item_id="A", place=1, score=0.5, source="popular", reasons=(Reason("popular"),), title="Ant")
    slate = Slate(
        recommendation_id="r", placement="home", items=(item,), variant=None, model_version="b", fallback="model_failed"
    )
    assert msgspec.json.encode(landed_slate(slate, at_us=7, user_key=None)) == (
        b'{"recommendation_id":"r","at_us":7,"placement":"home","model_version":"b",'
        b'"items":[{"item_id":"A","place":1,"score":0.5,"source":"popular","propensity":1.0}],'
        b'"user_key":null,"variant":null,"fallback":"model_failed"}'
    )


def test_ingest_reads_the_slates_that_are_written(tmp_path):
    item = SlateItem(item_id="A", place=1, score=0.5, source="popular", reasons=(Reason("popular"),))
    slate = Slate(
        recommendation_id="r", placement="home", items=(item,), variant=None, model_version="b", fallback=None
    )
    line = msgspec.json.encode(landed_slate(slate, at_us=7, user_key="u"))
    (tmp_path / "1-1-1.jsonl").write_bytes(line + b"\n")
    read = read_slates(slate_files(tmp_path))
    assert read.quarantine.num_rows == 0
    (row,) = read.rows.to_pylist()
    assert (row["recommendation_id"], row["user_key"], row["item_id"], row["place"]) == ("r", "u", "A", 1)


def test_segments_are_found_by_when_they_began(tmp_path):
    for name in ("0000000000000005-1-1.jsonl", "0000000000000009-1-1.jsonl.open", "0000000000000004-1-1.jsonl"):
        (tmp_path / name).touch()
    assert [path.name[15] for path in segments_since(tmp_path, 5)] == ["5", "9"]
    assert segments_since(tmp_path / "nowhere", 0) == []


def test_a_segment_that_was_closed_meanwhile_is_still_read(tmp_path):
    line = msgspec.json.encode(LandedEvent(event_id="e", event_name="search", at_us=1, received_us=2, user_key="u"))
    (tmp_path / "1-1-1.jsonl").write_bytes(b"junk\n" + line + b"\n" + line[:9])
    assert [event.event_id for event in read_segment(tmp_path / "1-1-1.jsonl.open")] == ["e"]


def test_a_segment_that_cannot_be_read_is_passed_over(tmp_path):
    line = msgspec.json.encode(LandedEvent(event_id="e", event_name="search", at_us=1, received_us=2, user_key="u"))
    (tmp_path / "1-1-1.jsonl").write_bytes(line.replace(b"search", b"sea\xffch") + b"\n" + line + b"\n")
    assert [event.event_id for event in read_segment(tmp_path / "1-1-1.jsonl")] == ["e"]
    (tmp_path / "2-1-1.jsonl").mkdir()  # as good as a file on a broken part of the disk
    for name in ("2-1-1.jsonl", "3-1-1.jsonl.open"):  # the other one was empty, and somebody removed it a moment ago
        assert list(read_segment(tmp_path / name)) == []
