import signal
import sqlite3
from contextlib import closing

import psutil
import pytest

from endcap.core.errors import Code
from endcap.flows.flow import StepReport
from endcap.flows.lease import held
from endcap.flows.runner import pending_of, run_steps
from endcap.flows.steps import STEPS
from endcap.flows.workers import Workers
from endcap.stores.tables import Fence

pytestmark = pytest.mark.slow

SESSIONS = next(step for step in STEPS if step.name == "sessions")


@pytest.fixture
def half_done(tmp_path, make_hand_made, flow_of):
    """A hand-made shop in which all before sessions is done, and its flow."""
    flow = flow_of(
        make_hand_made(tmp_path / "hand", {"2026-03-01": "10:00 u1 view_item A", "2026-03-05": "9:00 u2 view_item B"})
    )
    names = [step.name for step in STEPS]
    run_steps(flow, STEPS[names.index("ingest") : names.index("catalogue")])
    flow.through = "2026-03-05"
    return flow


def ask_all(flow, workers, fence):
    pending, inputs = pending_of(flow, SESSIONS)
    for day in pending:
        workers.ask(flow, SESSIONS, (fence, 0.0), {day: pending[day]}, {day: inputs[day]})
    return sorted(pending)


def test_two_processes_do_a_step_and_write_the_ledger(half_done):
    flow = half_done
    with (
        held(flow.ledger.catalog, flow.ledger.lease_name("sessions"), wait_s=0) as lease,
        Workers(flow.shop.root, flow.ledger, 2) as workers,
    ):
        days = ask_all(flow, workers, lease.fence)
        answers = {chunk[0]: report for chunk, report in workers.answers()}
        pids = [process.pid for process in workers.processes]
    assert sorted(answers) == days == ["2026-03-01", "2026-03-05"]
    assert all(isinstance(report, StepReport) and report.state == "done" for report in answers.values())
    assert pending_of(flow, SESSIONS) == ({}, {})
    assert {each["run_id"] for each in flow.ledger.attempts()} == {flow.run_id}
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_chunks_that_nobody_has_begun_are_dropped(half_done):
    flow = half_done
    with Workers(flow.shop.root, flow.ledger, 0) as workers:
        ask_all(flow, workers, Fence("sessions", 1))
        workers.drop()
        assert list(workers.answers()) == []


def is_open(shop):
    with closing(sqlite3.connect(f"file:{shop / 'endcap.db'}?mode=ro", uri=True)) as connection:
        found = connection.execute("SELECT 1 FROM attempt WHERE step = 'sessions' AND outcome = 'running'")
        return bool(found.fetchall())


def test_a_worker_killed_within_an_attempt_is_noticed_and_its_chunk_done_by_another(half_done):
    flow = half_done
    with (
        held(flow.ledger.catalog, flow.ledger.lease_name("sessions"), wait_s=0) as lease,
        Workers(flow.shop.root, flow.ledger, 1) as workers,
    ):
        ask_all(flow, workers, lease.fence)
        killed = False
        while not killed:
            for process in workers.processes if is_open(flow.shop.root) else ():
                process.send_signal(signal.SIGSTOP)  # stands still: an attempt that is open stays open
                killed = is_open(flow.shop.root)
                process.send_signal(signal.SIGKILL if killed else signal.SIGCONT)
        answers = list(workers.answers())
    assert [type(report) for _, report in answers] == [StepReport, StepReport]
    assert sorted(each["outcome"] for each in flow.ledger.attempts() if each["step"] == "sessions") == [
        "abandoned", "done", "done"
    ]  # fmt: skip
    assert pending_of(flow, SESSIONS) == ({}, {})


def test_an_error_in_a_worker_is_the_one_that_is_told(half_done):
    flow = half_done
    with (
        held(flow.ledger.catalog, flow.ledger.lease_name("sessions"), wait_s=0) as late,
        Workers(flow.shop.root, flow.ledger, 1) as workers,
    ):
        pending, inputs = pending_of(flow, SESSIONS)
        old = type(late.fence)(late.fence.name, late.fence.token - 1)  # as if the lease had been taken over
        workers.ask(flow, SESSIONS, (old, 0.0), pending, inputs)
        ((_, error),) = workers.answers()
    assert error.code is Code.FENCED
    assert flow.tables.version(SESSIONS.writes[0]) == -1


def test_the_ledger_tells_of_a_worker_what_it_waited_and_why_it_tries_again(half_done):
    flow = half_done
    because = {"number": 2, "because": "commit-conflict", "waited_s": 0.5}
    with (
        held(flow.ledger.catalog, flow.ledger.lease_name("sessions"), wait_s=0) as lease,
        Workers(flow.shop.root, flow.ledger, 1) as workers,
    ):
        pending, inputs = pending_of(flow, SESSIONS)
        first, last = ({day: pending[day]} for day in sorted(pending))
        workers.ask(flow, SESSIONS, (lease.fence, 3.0), first, inputs)
        workers.ask(flow, SESSIONS, (lease.fence, 0.0), last, inputs, retry=because)
        assert [type(report) for _, report in workers.answers()] == [StepReport, StepReport]
    rows = [each for each in reversed(flow.ledger.attempts()) if each["step"] == "sessions"]
    assert [(each["queue_s"], each["detail"].get("retry")) for each in rows] == [(3.0, None), (0.0, because)]


def test_a_worker_that_cannot_open_the_shop_says_why(half_done):
    flow = half_done
    with Workers(flow.shop.root, flow.ledger, 1) as workers:
        (flow.shop.root / "endcap.toml").write_text("no toml at all")
        pending, inputs = pending_of(flow, SESSIONS)
        for _ in range(2):
            workers.ask(flow, SESSIONS, (Fence("sessions", 1), 0.0), pending, inputs)
        errors = [error for _, error in workers.answers()]
    assert [error.code for error in errors] == [Code.CONFIG_INVALID] * 2
    assert len(workers.processes) == 1
