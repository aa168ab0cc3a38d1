import threading
from dataclasses import replace

import pyarrow as pa
import pytest

from endcap.core.errors import Code, DataError, LedgerError, StoreError
from endcap.core.tables import QUARANTINE
from endcap.flows.flow import Flow, Outcome, Places, Step
from endcap.flows.lease import held
from endcap.flows.retry import Retry
from endcap.flows.runner import run_steps
from endcap.flows.shop import Shop
from endcap.governance.access import Action, local_actor
from endcap.stores.adapters.delta import DeltaTables
from endcap.stores.adapters.sealed_ids import SealedIds


class World:
    """A step over two days whose source is a mapping: day -> values; it counts how often it runs."""

    def __init__(self, flow):
        self.flow = flow
        self.source = {"2026-01-01": ["a", "b"], "2026-01-02": ["c"]}
        self.ran = []
        self.fails = False
        self.step = Step("made_up", "ingest", Action.EVENTS_INGEST, ("events",), ("sessions",), self.plan, self.run)

    def plan(self, _flow):
        return {day: {"value": "|".join(values)} for day, values in self.source.items()}

    def run(self, flow, pending):
        self.ran.append(pending)
        if self.fails:
            raise ZeroDivisionError("division by a user's secret")
        rows = [row(day, value) for day in pending for value in self.source[day]]
        table = pa.Table.from_pylist(rows) if rows else pa.Table.from_pylist([row("x", "x")]).slice(0, 0)
        return Outcome(tables={"quarantine": flow.engine.read_arrow(table)}, output={day: {"n": 1} for day in pending})

    def go(self):
        return run_steps(self.flow, [self.step])[0]

    def values(self):
        return sorted(self.flow.engine.to_arrow(self.flow.read(QUARANTINE))["source_file"].to_pylist())


def row(day, value):
    return {
        "date_partition": day, "source_file": value, "source_row": 0, "item_ordinal": 0, "reason": "r", "detail": "",
        "event_name": None, "at_us": None, "item_id": None, "user_key": None, "row_digest": "0" * 32,
    }  # fmt: skip


@pytest.fixture
def world(tmp_path, ledger, engine, tiny_config):
    flow = Flow(
        shop=Shop(tmp_path, tiny_config),
        ledger=ledger,
        tables=DeltaTables(tmp_path / "lake"),
        make_engine=lambda: engine,
        make_raw_ids=lambda: SealedIds(tmp_path / "raw_ids.db", bytes(32)),
        places=Places(open_query=pytest.fail, open_objects=pytest.fail),
        through="",
        run_id="run-1",
        now_us=1,
        actor=local_actor(),
        progress=lambda _report: None,
        wait_s=0,
    )
    return World(flow)


def test_the_second_run_does_nothing_and_writes_no_version(world):
    assert world.go().state == "done"
    version = world.flow.tables.version(QUARANTINE)
    assert world.go().state == "unchanged"
    assert (world.flow.tables.version(QUARANTINE), world.ran) == (version, [["2026-01-01", "2026-01-02"]])
    assert world.values() == ["a", "b", "c"]


def test_only_the_day_whose_input_changed_is_done_again(world):
    world.go()
    world.source["2026-01-02"] = ["c", "d"]
    world.go()
    assert world.ran[1:] == [["2026-01-02"]]
    assert world.values() == ["a", "b", "c", "d"]


def test_a_day_done_again_with_equal_content_writes_no_version(world):
    world.go()
    version = world.flow.tables.version(QUARANTINE)
    world.flow.ledger.forget("made_up")
    world.go()
    assert len(world.ran) == 2
    assert world.flow.tables.version(QUARANTINE) == version


def test_a_day_that_lost_its_rows_becomes_empty(world):
    world.go()
    world.source["2026-01-01"] = []
    world.go()
    assert world.values() == ["c"]
    world.flow.ledger.forget("made_up")
    version = world.flow.tables.version(QUARANTINE)
    world.go()
    assert world.flow.tables.version(QUARANTINE) == version


def test_a_step_that_fails_leaves_what_was_and_keeps_no_foreign_words(world):
    world.go()
    world.source["2026-01-02"] = ["z"]
    world.fails = True
    with pytest.raises(ZeroDivisionError):
        world.go()
    assert world.values() == ["a", "b", "c"]
    failed = world.flow.ledger.attempts(limit=1)[0]
    assert (failed["outcome"], failed["error_code"], failed["error"]) == (
        "failed",
        "ZeroDivisionError",
        "ZeroDivisionError",
    )
    world.fails = False
    assert world.go().state == "done"
    assert world.values() == ["a", "b", "z"]


def test_a_run_that_died_after_the_commit_is_done_again_to_the_same_content(world, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(world.flow.ledger, "wrote", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            world.go()
    assert {part.digest for part in world.flow.ledger.parts("quarantine").values()} == {""}
    assert world.go().state == "done"
    assert world.values() == ["a", "b", "c"]


def test_a_setting_that_is_changed_back_after_a_kill_leaves_no_day_half_done(world, monkeypatch):
    world.go()
    first = dict(world.source)
    world.source["2026-01-01"] = ["other"]
    with monkeypatch.context() as patch:
        patch.setattr(world.flow.ledger, "wrote", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            world.go()
    world.source = first
    assert world.go().state == "done"
    assert world.values() == ["a", "b", "c"]


def test_an_error_while_writing_is_the_one_that_is_told(world, monkeypatch):
    def late(*_words, **_options):
        raise LedgerError("taken over", fix="nothing", code=Code.FENCED)

    monkeypatch.setattr(world.flow.tables, "replace", late)
    with pytest.raises(LedgerError, match="taken over"):
        world.go()
    assert world.flow.ledger.attempts(limit=1)[0]["error_code"] == "fenced"


def test_a_disk_that_is_full_is_told_as_that_whichever_library_says_so(world, monkeypatch):
    def full(*_words, **_options):
        raise RuntimeError("C Data interface error: No space left on device")

    monkeypatch.setattr(world.flow.tables, "replace", full)
    with pytest.raises(StoreError, match="the disk is full") as caught:
        world.go()
    assert (caught.value.code, caught.value.where) == (Code.DISK_FULL, "step made_up")
    assert world.flow.ledger.attempts(limit=1)[0]["error_code"] == "disk-full"


def test_what_is_not_true_beyond_the_contract_is_not_written(world):
    def check(rows):
        raise DataError(f"{world.flow.engine.to_arrow(rows).num_rows} rows", fix="no", code=Code.CONTRACT_BROKEN)

    run = world.step.run
    step = replace(world.step, run=lambda flow, pending: replace(run(flow, pending), checks={"quarantine": check}))
    with pytest.raises(DataError, match="3 rows"):
        run_steps(world.flow, [step])
    assert world.flow.tables.version(QUARANTINE) == -1


def test_nothing_is_put_in_force_by_a_runner_whose_lease_was_taken_over(world, monkeypatch):
    in_force = []
    step = replace(world.step, run=lambda _flow, _pending: Outcome(put_in_force=lambda: in_force.append(1)))

    def late(_attempt_id):
        raise LedgerError("taken over", fix="nothing", code=Code.FENCED)

    with monkeypatch.context() as patch:
        patch.setattr(world.flow.ledger, "check_held", late)
        with pytest.raises(LedgerError):
            run_steps(world.flow, [step])
    assert in_force == []
    run_steps(world.flow, [step])
    assert in_force == [1]


def test_what_is_gone_from_disk_is_done_again(world):
    there = {"2026-01-01"}
    step = replace(world.step, is_there=lambda _flow, day: day in there)
    run_steps(world.flow, [step])
    run_steps(world.flow, [step])
    assert world.ran[1:] == [["2026-01-02"]]


def test_rows_of_a_partition_that_was_not_asked_for_are_refused(world):
    world.source = {"2026-01-01": ["a"]}
    world.run = lambda flow, _pending: Outcome(
        tables={"quarantine": flow.engine.read_arrow(pa.Table.from_pylist([row("2026-01-09", "x")]))}
    )
    step = Step("made_up", "ingest", Action.EVENTS_INGEST, ("events",), (), world.plan, world.run)
    with pytest.raises(DataError, match="2026-01-09 among them"):
        run_steps(world.flow, [step])
    assert world.flow.tables.version(QUARANTINE) == -1


def test_a_step_that_another_runner_does_is_not_done_beside_it(world):
    with (
        held(world.flow.ledger.catalog, "local/tiny/made_up", wait_s=0),
        pytest.raises(LedgerError, match="another runner"),
    ):
        world.go()
    assert world.ran == []


def test_what_was_done_stands_in_the_ledger_and_in_the_audit_log(world):
    world.go()
    attempt = world.flow.ledger.attempts()[0]
    assert (attempt["rows_out"], attempt["outcome"], attempt["partitions"]) == (3, "done", ["2026-01-01", "2026-01-02"])
    audit = world.flow.ledger.audit.rows()[0]
    assert (audit["action"], audit["resource"], audit["outcome"]) == ("events.ingest", "step/made_up", "allowed")


def conflict():
    return LedgerError("another writer", fix="again", code=Code.COMMIT_CONFLICT)


def test_a_step_that_met_another_writer_is_tried_again_and_the_ledger_says_why(world):
    waits, reports, run = [], [], world.step.run
    world.flow.ledger.retry = Retry(wait=waits.append)
    world.flow.progress = reports.append

    def fails_twice(flow, pending):
        if len(waits) < 2:
            raise conflict()
        return run(flow, pending)

    assert run_steps(world.flow, [replace(world.step, run=fails_twice)])[0].state == "done"
    assert waits == [1.0, 2.0]
    assert [report.state for report in reports] == ["started", "again", "started", "again", "started", "done"]
    attempts = world.flow.ledger.attempts()
    assert [(row["outcome"], row["error_code"], row["detail"].get("retry")) for row in attempts] == [
        ("done", None, {"number": 3, "because": "commit-conflict", "waited_s": 2.0}),
        ("failed", "commit-conflict", {"number": 2, "because": "commit-conflict", "waited_s": 1.0}),
        ("failed", "commit-conflict", None),
    ]


def test_a_step_that_fails_every_time_is_told_after_the_last_try(world):
    waits = []
    world.flow.ledger.retry = Retry(wait=waits.append)

    def fails(_flow, _pending):
        raise conflict()

    with pytest.raises(LedgerError, match="another writer"):
        run_steps(world.flow, [replace(world.step, run=fails)])
    assert (waits, len(world.flow.ledger.attempts())) == ([1.0, 2.0, 4.0], 4)


def test_a_step_whose_inputs_another_runner_changed_while_it_failed_is_tried_again(world):
    waits, run = [], world.step.run
    world.flow.ledger.retry = Retry(wait=waits.append)

    def read_half(flow, pending):
        if not waits:
            world.source["2026-01-01"] = ["new"]
            raise ZeroDivisionError
        return run(flow, pending)

    run_steps(world.flow, [replace(world.step, run=read_half)])
    assert (waits, world.values()) == ([1.0], ["c", "new"])


def test_what_a_user_asks_to_be_done_anew_is_done_even_if_another_runner_has_just_done_it(world):
    world.go()
    world.flow.again = frozenset(["made_up"])
    assert world.go().state == "done"
    assert len(world.ran) == 2


def test_a_wait_that_ended_with_nothing_to_do_stands_in_the_ledger(world):
    def the_other_one_does_it(report):
        if report.state == "waiting":
            give_back.set()
            other.join()

    def hold():
        with held(world.flow.ledger.catalog, "local/tiny/made_up", wait_s=0):
            is_held.set()
            give_back.wait(10)
            world.source.clear()

    is_held, give_back, other = threading.Event(), threading.Event(), threading.Thread(target=hold)
    other.start()
    is_held.wait(10)
    world.flow.wait_s, world.flow.progress = None, the_other_one_does_it
    assert world.go().state == "unchanged"
    (row,) = world.flow.ledger.attempts()
    assert (row["outcome"], row["partitions"], row["queue_s"] > 0) == ("unchanged", [], True)
