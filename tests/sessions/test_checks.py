import pytest

from endcap.core.clock import days_between
from endcap.core.errors import Code, DataError
from endcap.core.tables import SLATES
from endcap.sessions.checks import check_exposures, check_sessions
from endcap.sessions.config import SessionsConfig
from endcap.sessions.exposures import find_exposures
from endcap.sessions.sessionize import sessionize

DAYS = days_between("2016-09-01", "2016-09-03")
WORLD = """
    ann 5       view_item_list A B
    ann 6       select_item A
    ann 7       add_to_cart A
    ann 200     view_item A
    bob 1439    view_item_list C
    bob 1d+1    purchase C
    bob 1d+500  view_item C
"""


@pytest.fixture(scope="module")
def made(engine, world):
    """Events, sessions and exposures of a small world."""
    events = engine.materialise(world(WORLD))
    sessions = engine.materialise(sessionize(events, SessionsConfig(), days=DAYS))
    exposures = find_exposures(events, sessions, engine.read_snapshot([], SLATES), SessionsConfig(), days=DAYS)
    return events, sessions, engine.materialise(exposures)


def refused(check, *args, **settings):
    with pytest.raises(DataError) as caught:
        check(*args, **settings)
    assert caught.value.code == Code.CONTRACT_BROKEN
    return caught.value.what


def test_what_the_room_makes_passes(engine, made):
    events, sessions, exposures = made
    check_sessions(engine, sessions, events, days=DAYS)
    check_exposures(engine, exposures, events, days=DAYS)


def test_no_sessions_of_no_events_pass(engine, made):
    events, sessions, _ = made
    nothing = sessions.filter(sessions.num_events < 0)
    check_sessions(engine, nothing, events.filter(events.user_key == ""), days=DAYS)


def test_events_before_the_first_day_done_are_not_missed(engine, made):
    events, sessions, _ = made
    second = sessions.filter(sessions.date_partition == "2016-09-02")
    check_sessions(engine, second, events, days=["2016-09-02"])


def test_a_missing_session_is_told(engine, made):
    events, sessions, _ = made
    fewer = sessions.filter((sessions.user_key == "ann") | (sessions.num_views == 0))
    assert "1 events lie in no session" in refused(check_sessions, engine, fewer, events, days=DAYS)


def test_sessions_that_overlap_are_told(engine, made):
    events, sessions, _ = made
    longer = sessions.mutate(ended_us=sessions.ended_us + 250 * 60_000_000)
    what = refused(check_sessions, engine, longer, events, days=DAYS)
    assert "1 sessions overlap" in what
    assert "1 events lie in two sessions" in what


def test_a_wrong_count_of_events_is_told(engine, made):
    events, sessions, _ = made
    wrong = sessions.mutate(num_events=sessions.num_events + 1)
    assert "4 events too many or too few" in refused(check_sessions, engine, wrong, events, days=DAYS)


def test_exposures_that_are_there_twice_are_told(engine, made):
    events, _, exposures = made
    assert "3 items shown are missing or there twice" in refused(
        check_exposures, engine, exposures.union(exposures), events, days=DAYS
    )


def test_more_carts_than_events_are_told(engine, made):
    events, _, exposures = made
    every = exposures.mutate(carted=exposures.item_id != "", purchased=exposures.item_id != "")
    what = refused(check_exposures, engine, every, events, days=DAYS)
    assert "2 exposures are carted without" in what
    assert "2 exposures are purchased without" in what
