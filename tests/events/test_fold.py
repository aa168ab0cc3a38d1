import pyarrow as pa
import pytest

from endcap.events.fold import folded_rows

MUG = {"item_id": "mug"}
DAY = "2026-08-01"


@pytest.fixture
def folded(engine, config, arrow_rows):
    """Fold rows given as (name, seconds, item, session); returns the places of those that are folded."""

    def fold(*rows):
        table = engine.read_arrow(
            pa.table(
                {
                    "event_no": list(range(len(rows))),
                    "item_ordinal": [1] * len(rows),
                    "event_name": [row[0] for row in rows],
                    "at_us": [round(row[1] * 1_000_000) for row in rows],
                    "user_key": ["u"] * len(rows),
                    "device_key": ["d"] * len(rows),
                    "source_session_id": pa.array([row[3] for row in rows], pa.string()),
                    "item_id": [row[2] for row in rows],
                    "date_partition": [DAY] * len(rows),
                }
            )
        )
        return sorted(row["event_no"] for row in arrow_rows(folded_rows(table, config)))

    return fold


def test_a_twin_within_two_seconds_either_way_is_folded(folded):
    assert folded(("view_item", 10, "mug", "1"), ("quickview", 8, "mug", "1"), ("quickview", 12, "mug", "1")) == [1, 2]
    assert folded(("view_item", 10, "mug", "1"), ("quickview", 12.001, "mug", "1")) == []


def test_another_item_or_session_is_no_twin(folded):
    assert folded(("view_item", 10, "mug", "1"), ("quickview", 10, "pen", "1"), ("quickview", 10, "mug", "2")) == []


def test_without_a_session_the_user_is_the_session(folded):
    assert folded(("view_item", 10, "mug", None), ("quickview", 10, "mug", None)) == [1]


def test_a_lone_one_becomes_the_event(tmp_path, config, ga4_event, write_ga4, take_in):
    write_ga4(tmp_path, DAY, [ga4_event("quickview", 5, MUG)])
    taken = take_in(tmp_path, config)
    assert [row["event_name"] for row in taken.events] == ["view_item"]
    assert taken.counts["quickview", "kept", ""] == (1, 1)
