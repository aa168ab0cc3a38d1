import pyarrow as pa

from endcap.core.ids import user_key
from endcap.events.pseudonymise import pseudonymise

KEY = bytes(range(32))
KEYED = "a" * 32


def test_keys_are_those_of_core_and_nothing_raw_is_left(engine, arrow_rows):
    ids = [("ann", "c1", None), (None, "c1", None), (None, "ann", None), (None, None, KEYED), (None, None, "raw")]
    events = engine.read_arrow(
        pa.table(
            {
                "event_no": list(range(len(ids))),
                "raw_user_id": pa.array([each[0] for each in ids], pa.string()),
                "raw_device_id": pa.array([each[1] for each in ids], pa.string()),
                "user_key": pa.array([each[2] for each in ids], pa.string()),
                "device_key": pa.array([None] * len(ids), pa.string()),
            }
        )
    )
    keyed, raw_ids = pseudonymise(engine, events, KEY)
    rows = arrow_rows(keyed.order_by("event_no"))
    assert set(rows[0]) == {"event_no", "user_key", "device_key"}
    ann, c1 = (
        user_key(user_id="ann", user_pseudo_id=None, key=KEY),
        user_key(user_id=None, user_pseudo_id="c1", key=KEY),
    )
    assert [row["user_key"] for row in rows] == [
        ann, c1, user_key(user_id=None, user_pseudo_id="ann", key=KEY), KEYED, None]  # fmt: skip
    assert [row["device_key"] for row in rows[:2]] == [c1, c1]
    assert rows[2]["user_key"] != ann
    known = {ann: "user:ann", c1: "device:c1", rows[2]["user_key"]: "device:ann"}
    assert raw_ids == known
