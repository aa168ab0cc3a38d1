import dataclasses

import pytest

from endcap.core.clock import day_start_us
from endcap.core.errors import Code, SourceError
from endcap.events.config import EventsConfig
from endcap.events.files import SourceFile
from endcap.events.inputs import files_of, plan_days

CONFIG = EventsConfig(source="drop")
NOW_US = day_start_us("2026-08-05")  # and a day ahead is believed: up to the first instant of the sixth


def file(name, *days, sha256="1"):
    return SourceFile(
        "ga4", f"/{name}", name, 1, 1, sha256, days, named_day="", num_unplaced=0, num_rows=1, settings=""
    )


def days(*numbers):
    return [f"2026-08-{number:02d}" for number in numbers]


def plan(files, made_of=(), *, through="", again=False):
    return plan_days(files, dict(made_of), CONFIG, now_us=NOW_US, through=through, again=again)


A, B, C = file("a", *days(1)), file("b", *days(2)), file("c", *days(2, 4))


def test_a_day_is_made_from_its_own_files_and_those_of_the_day_before():
    first, second, fourth = days(1, 2, 4)
    assert plan([A, B, C]) == {
        first: {"ga4:a": "1"},
        second: {"ga4:a": "1", "ga4:b": "1", "ga4:c": "1"},
        fourth: {"ga4:c": "1"},
    }
    assert list(plan([A, B, C], through=second)) == [first, second]


def test_of_a_file_that_is_gone_the_digest_stays_among_the_inputs_of_the_day_after():
    made_of = {day: {"ga4:a": "1"} for day in days(1)} | {day: files_of([B, C]) for day in days(2)}
    assert plan([B, C], made_of)[days(2)[0]] == plan([A, B, C])[days(2)[0]]


@pytest.mark.parametrize("left", [[A], [A, B]])
def test_a_day_some_of_whose_files_are_gone_is_left_alone(left):
    made_of = {day: files_of([B, C]) for day in days(2)}
    assert list(plan(left, made_of)) == days(1)


@pytest.mark.parametrize("other", [file("b", *days(2), sha256="2"), file("d", *days(2))])
def test_a_day_that_would_lose_events_is_refused_and_made_again_on_demand(other):
    made_of = {day: files_of([B, C]) for day in days(2)}
    with pytest.raises(SourceError, match=f"c .*gone .*{other.name} of that day") as caught:
        plan([other], made_of)
    assert (caught.value.code, caught.value.where) == (Code.SOURCE_MISSING, "step ingest, day 2026-08-02")
    assert plan([other], made_of, through=days(1)[0]) == {}
    assert plan([other], made_of, again=True) == {day: files_of([other]) for day in days(2)}


def test_a_file_that_another_reader_reads_is_not_gone():
    made_of = {day: {"mapped:b": "1"} for day in days(2)}
    assert list(plan([B], made_of)) == days(2)


def test_a_day_that_its_file_no_longer_holds_is_made_again_from_nothing():
    made_of = {day: files_of([B]) for day in days(2)}
    [moved, left] = days(1, 2)
    assert plan([file("b", moved)], made_of) == {moved: {"ga4:b": "1"}, left: {"ga4:b": "1"}}
    assert left not in plan([file("b", moved)], {left: {}})


def test_a_day_that_is_only_ahead_of_a_clock_that_was_set_back_is_not_emptied():
    ahead = days(20)
    assert not set(ahead) & set(plan([file("b", *days(2), *ahead)], {day: {"ga4:b": "1"} for day in ahead}))


def test_rows_that_wait_for_their_day_have_two_days_made_again_when_it_comes():
    waits = file("a", *days(1, 2, 6))
    before = plan([waits])
    after = plan_days([waits], {}, CONFIG, now_us=NOW_US + 86_400_000_000, through="", again=False)
    assert [day for day in after if before.get(day) != after[day]] == days(1, 6)


def test_a_day_whose_file_cannot_be_read_is_left_as_it_is_and_all_others_are_planned():
    broken = dataclasses.replace(B, broken="items", sha256="2")
    first, second, fourth = days(1, 2, 4)
    assert plan([A, broken, C]) == {first: {"ga4:a": "1"}, fourth: {"ga4:c": "1"}}
    made_of = {first: files_of([A]), second: files_of([B, C]), fourth: files_of([C])}
    assert plan([A, broken, C], made_of) == {day: plan([A, B, C])[day] for day in (first, fourth)}
    assert second not in plan([A, broken, C], made_of, again=True)
