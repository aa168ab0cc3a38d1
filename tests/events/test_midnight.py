import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MUG = {"item_id": "mug"}
DAY, NEXT = "2026-08-01", "2026-08-02"
END = 24 * 60  # minutes


def two_days(tmp_path, ga4_event, write_ga4, late, early):
    """A quiet noon on both days, with events before midnight and after it."""
    for day, events in ((DAY, late), (NEXT, early)):
        write_ga4(tmp_path, day, [ga4_event("search", 12 * 60, day=day), *events])


def names(taken, day):
    return [row["event_name"] for row in taken.events if row["date_partition"] == day and row["event_name"] != "search"]


def test_of_twins_over_midnight_the_earlier_one_stays(tmp_path, config, ga4_event, write_ga4, take_in):
    late, early = ga4_event("quickview", END - 0.01, MUG), ga4_event("view_item", 0.01, MUG, day=NEXT)
    two_days(tmp_path, ga4_event, write_ga4, [late], [early])
    taken = take_in(tmp_path, config)
    assert (names(taken, DAY), names(taken, NEXT)) == (["view_item"], [])
    assert taken.counts["view_item", "folded", ""] == taken.counts["quickview", "kept", ""] == (1, 1)


def test_twins_farther_apart_than_the_fold_reaches_both_stay(tmp_path, config, ga4_event, write_ga4, take_in):
    late, early = ga4_event("quickview", END - 0.02, MUG), ga4_event("view_item", 0.02, MUG, day=NEXT)
    two_days(tmp_path, ga4_event, write_ga4, [late], [early])
    taken = take_in(tmp_path, config)
    assert (names(taken, DAY), names(taken, NEXT)) == (["view_item"], ["view_item"])


def test_of_copies_less_than_an_hour_apart_over_midnight_the_earlier_one_stays(
    tmp_path, config, ga4_event, write_ga4, take_in
):
    tried = [("a", END - 20, 30), ("b", END - 50, 30)]
    params = [{"event_id": name} for name, _, _ in tried]
    late = [ga4_event("search", at, params=told) for (_, at, _), told in zip(tried, params, strict=True)]
    early = [ga4_event("search", at, day=NEXT, params=told) for (_, _, at), told in zip(tried, params, strict=True)]
    two_days(tmp_path, ga4_event, write_ga4, late, early)
    taken = take_in(tmp_path, config)
    assert [sum(row["date_partition"] == day for row in taken.events) for day in (DAY, NEXT)] == [3, 2]
    assert taken.counts["search", "deduplicated", ""] == (1, 1)


MINUTES = st.sampled_from([0.0, 0.01, 0.02, 30, 59, END - 59, END - 30, END - 0.02, END - 0.01])
EVENTS = st.lists(
    st.tuples(
        st.sampled_from([DAY, NEXT]), MINUTES, st.sampled_from(["quickview", "view_item"]), st.sampled_from("abc")
    ),
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=4, deadline=None)
@given(events=EVENTS)
def test_day_by_day_gives_what_both_days_at_once_give(events, tmp_path_factory, config, ga4_event, write_ga4, take_in):
    folder = tmp_path_factory.mktemp("drop")
    of_day = {
        day: [
            ga4_event(name, at, MUG, day=day, params={"event_id": told}) for on, at, name, told in events if on == day
        ]
        for day in (DAY, NEXT)
    }
    two_days(folder, ga4_event, write_ga4, of_day[DAY], of_day[NEXT])
    at_once = take_in(folder, config)
    first = take_in(folder, config, days=[DAY])
    second = take_in(folder, config, days=[NEXT], before=first.events_table)
    assert pa.concat_tables([first.events_table, second.events_table]).equals(at_once.events_table)
    sums = [
        sum(each.counts.get(("view_item", "folded", ""), (0, 0))[0] for each in taken)
        for taken in ([first, second], [at_once])
    ]
    assert sums[0] == sums[1]
