from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from endcap.core.errors import Code, LedgerError
from endcap.core.ids import digest_of
from endcap.flows.cost import Cost
from endcap.flows.lease import held
from endcap.flows.ledger import AttemptStart, Part
from endcap.stores.catalog import lease
from endcap.stores.tables import Fence

COST = Cost(wall_s=1.5, cpu_s=1.0, peak_rss_bytes=10, bytes_read=20, bytes_written=30)
ENDING = {"outputs": {"events": {"version": 0}}, "rows_in": 5, "rows_out": 4, "detail": {"folded": 1}}


def start(ledger, *, token=1, **fingerprints):
    first = AttemptStart(
        run_id="run-1",
        actor="os_user:ann",
        step="ingest",
        fingerprints=fingerprints,
        inputs={f"file-{mark}": digest_of(mark) for mark in fingerprints.values()},
        config_digest="c",
        code_digest="d",
        code_version="0",
        queue_s=0.25,
    )
    return ledger.start(first, Fence("local/tiny/ingest", token))


def test_a_partition_is_in_force_only_once_its_attempt_is_done(ledger):
    attempt = start(ledger, day_1="aa", day_2="bb")
    assert ledger.fingerprints("ingest") == {}
    ledger.finish(attempt, output={"day_1": {"note": 1}}, ending=ENDING, cost=COST)
    assert ledger.fingerprints("ingest") == {"day_1": "aa", "day_2": "bb"}
    assert ledger.outputs("ingest") == {"day_1": {"note": 1}, "day_2": {}}


def test_doing_a_partition_again_replaces_its_fingerprint_and_keeps_both_attempts(ledger):
    for mark in ("aa", "cc"):
        ledger.finish(start(ledger, day_1=mark), output={}, ending=ENDING, cost=COST)
    assert ledger.fingerprints("ingest") == {"day_1": "cc"}
    assert [row["fingerprints"]["day_1"] for row in ledger.attempts()] == ["cc", "aa"]


def test_a_failed_attempt_changes_nothing_in_force_and_keeps_its_code_and_cost(ledger):
    ledger.finish(start(ledger, day_1="aa"), output={}, ending=ENDING, cost=COST)
    ledger.fail(start(ledger, day_1="bb"), code="source-unreadable", error="cut off", cost=COST)
    assert ledger.fingerprints("ingest") == {"day_1": "aa"}
    failed = ledger.attempts(limit=1)[0]
    assert (failed["outcome"], failed["error_code"], failed["cpu_s"]) == ("failed", "source-unreadable", 1.0)


def test_every_attempt_tells_what_it_cost_and_whose_it_is(ledger):
    ledger.finish(start(ledger, day_1="aa"), output={}, ending=ENDING, cost=COST)
    row = ledger.attempts()[0]
    wanted = {
        "organisation": "local", "project": "tiny", "region": "local", "actor": "os_user:ann", "wall_s": 1.5,
        "cpu_s": 1.0,
        "peak_rss_bytes": 10, "bytes_read": 20, "bytes_written": 30, "queue_s": 0.25, "rows_in": 5, "rows_out": 4,
    }  # fmt: skip
    assert {name: row[name] for name in wanted} == wanted
    assert row["ended_at_us"] >= row["started_at_us"] > row["queued_at_us"]


def test_the_attempt_of_a_dead_runner_is_marked_abandoned_by_the_next_one(ledger):
    start(ledger, day_1="aa")
    ledger.finish(start(ledger, token=2, day_1="aa"), output={}, ending=ENDING, cost=COST)
    assert [row["outcome"] for row in ledger.attempts()] == ["done", "abandoned"]


def test_a_partition_that_is_being_written_is_of_unknown_content(ledger):
    ledger.wrote("events", {"d1": Part("x", 3, 0), "d2": Part("y", 4, 0)})
    ledger.writing(start(ledger, d2="aa"), "events", ["d2"])
    assert ledger.parts("events") == {"d1": Part("x", 3, 0), "d2": Part("", 0, -1)}


def test_what_is_being_written_no_longer_counts_as_done_whatever_the_settings_are_later(ledger):
    ledger.finish(start(ledger, d1="aa", d2="aa"), output={}, ending=ENDING, cost=COST)
    ledger.writing(start(ledger, token=2, d2="bb"), "events", ["d2"])
    assert ledger.fingerprints("ingest") == {"d1": "aa"}


def test_a_runner_whose_lease_was_taken_over_notes_nothing(ledger):
    ledger.finish(start(ledger, d1="aa"), output={}, ending=ENDING, cost=COST)
    ledger.wrote("events", {"d1": Part("x", 3, 0)})
    late = start(ledger, token=1, d1="bb")
    with held(ledger.catalog, ledger.lease_name("ingest"), wait_s=0), held_again(ledger):
        for act in (
            lambda: ledger.writing(late, "events", ["d1"]),
            lambda: ledger.finish(late, output={}, ending=ENDING, cost=COST),
            lambda: ledger.check_held(late),
        ):
            with pytest.raises(LedgerError) as caught:
                act()
            assert caught.value.code is Code.FENCED
    assert ledger.fingerprints("ingest") == {"d1": "aa"}
    assert ledger.parts("events") == {"d1": Part("x", 3, 0)}


@contextmanager
def held_again(ledger):
    """Have the lease's holder counted as dead, and take it over."""
    with ledger.catalog.begin() as connection:
        connection.execute(sa.update(lease).values(expires_at_us=0))
    with held(ledger.catalog, ledger.lease_name("ingest"), wait_s=0):
        yield


def test_forgetting_a_step_makes_all_of_it_pending(ledger):
    ledger.finish(start(ledger, day_1="aa"), output={}, ending=ENDING, cost=COST)
    ledger.forget("ingest")
    assert ledger.fingerprints("ingest") == {}


@pytest.mark.parametrize("limit", [1, 2])
def test_attempts_are_told_newest_first(ledger, limit):
    numbers = [start(ledger, day_1=mark) for mark in ("aa", "bb", "cc")]
    assert [row["attempt_id"] for row in ledger.attempts(limit=limit)] == numbers[::-1][:limit]


def test_what_a_dead_process_of_a_run_left_open_is_abandoned_and_nothing_else(ledger):
    first, second = (begin_of(ledger, day) for day in ("2026-01-01", "2026-01-02"))
    ledger.abandon("run-1", "sessions", ["2026-01-01"])
    outcomes = {each["attempt_id"]: each["outcome"] for each in ledger.attempts()}
    assert outcomes == {first: "abandoned", second: "running"}


def test_the_attempt_by_which_a_partition_was_last_done_is_known(ledger):
    attempt_id = begin_of(ledger, "2026-01-01")
    assert (ledger.last_attempts("sessions"), ledger.done_attempts("sessions")) == ({}, [])
    ending = {"outputs": {}, "rows_in": 3, "rows_out": 1, "detail": {"made_from": {}}}
    ledger.finish(attempt_id, output={}, ending=ending, cost=COST)
    assert ledger.last_attempts("sessions")["2026-01-01"]["attempt_id"] == attempt_id
    assert [each["rows_in"] for each in ledger.done_attempts("sessions")] == [3]


def begin_of(ledger, day):
    started = AttemptStart(
        run_id="run-1", actor="me", step="sessions", fingerprints={day: "mark"}, inputs={}, config_digest="",
        code_digest="", code_version="", queue_s=0.0,
    )  # fmt: skip
    return ledger.start(started, Fence("local/tiny/sessions", 1))


def test_what_another_writer_noted_is_not_moved_by_one_that_slept(ledger):
    seen = {"a": Part("one", 1, 3), "b": Part("two", 2, 3)}
    ledger.wrote("events", {"a": Part("one", 1, 3), "b": Part("new", 5, 4)})
    ledger.moved("events", seen, 9)
    assert ledger.parts("events") == {"a": Part("one", 1, 9), "b": Part("new", 5, 4)}


def test_an_attempt_whose_beginning_was_written_and_not_answered_begins_once(ledger):
    assert start(ledger, day_1="aa") == start(ledger, day_1="aa")
    assert start(ledger, day_2="aa") != start(ledger, day_1="aa")
    ledger.fail(start(ledger, day_1="aa"), code="disk-full", error="full", cost=COST)
    again = start(ledger, day_1="aa")
    assert [row["outcome"] for row in ledger.attempts()] == ["running", "running", "failed"]
    assert ledger.attempts(limit=1)[0]["attempt_id"] == again
