from endcap.core.tables import BOTS, EVENTS, IDENTITIES
from endcap.flows.people import people_needs, read_people


def test_the_events_of_people_depend_on_the_bots_of_a_month(hand, flow_of):
    needs = dict(people_needs(flow_of(hand), lambda day: (day, day)))
    assert needs[EVENTS]("2026-03-09") == needs[IDENTITIES]("2026-03-09") == ("2026-03-09", "2026-03-09")
    assert needs[BOTS]("2026-03-09") == ("2026-02-08", "2026-03-09")


def test_where_nobody_logs_in_and_nothing_is_a_bot_the_events_are_read_as_they_are(hand, flow_of):
    flow = flow_of(hand)
    days = flow.days(EVENTS)
    told, people = (flow.engine.to_arrow(table.order_by(list(EVENTS.key))) for table in
                    (flow.read(EVENTS, days), read_people(flow, days)))  # fmt: skip
    assert told.equals(people)
