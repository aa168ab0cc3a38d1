"""On the shop of three days of March, four days apart, that the fixture `hand` makes."""

from endcap.core.tables import EVENTS, SESSIONS


def test_sessions_stand_on_the_days_with_events_and_count_all_of_them(hand, flow_of, rows_of):
    flow = flow_of(hand)
    assert flow.days(SESSIONS) == flow.days(EVENTS) == ["2026-03-01", "2026-03-05", "2026-03-09"]
    events = {row["event_id"] for row in rows_of(hand, EVENTS)}
    assert sum(row["num_events"] for row in rows_of(hand, SESSIONS)) == len(events)
