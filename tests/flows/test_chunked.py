from dataclasses import replace

import pyarrow as pa
import pytest

from endcap.core.errors import Code, ConfigError, DataError, LedgerError, StoreError
from endcap.core.tables import QUARANTINE
from endcap.engines.port import arrow_schema
from endcap.flows.chunked import do_chunks
from endcap.flows.flow import Flow, Outcome, Places, Step, Trouble
from endcap.flows.runner import attempt, pending_of, run_steps
from endcap.flows.shop import Shop
from endcap.governance.access import Action, local_actor
from endcap.stores.adapters.delta import DeltaTables
from endcap.stores.tables import Fence

DAYS = [f"2026-01-0{day}" for day in range(1, 6)]


class World:
    """A step over five days, a row a day, whose bad days fail; it notes which days each attempt was given."""

    def __init__(self, flow):
        self.flow, self.ran, self.bad = flow, [], {}
        self.step = Step("made_up", "ingest", Action.EVENTS_INGEST, ("events",), (), self.plan, self.run, (QUARANTINE,),
                         by_day=True)  # fmt: skip

    def plan(self, _flow):
        return {day: {"value": day} for day in DAYS}

    def run(self, flow, pending):
        self.ran.append(pending)
        for day in pending:
            if day in self.bad:
                raise self.bad[day]
        rows = [
            {"date_partition": day, "source_file": day, "source_row": 0, "item_ordinal": 0, "reason": "r", "detail": "",
             "row_digest": "0" * 32} for day in pending
        ]  # fmt: skip
        table = pa.Table.from_pylist(rows, schema=arrow_schema(QUARANTINE))
        return Outcome(tables={"quarantine": flow.engine.read_arrow(table)}, output={day: {} for day in pending})

    def go(self, **changes):
        return run_steps(self.flow, [replace(self.step, **changes)])[0]


@pytest.fixture
def world(tmp_path, ledger, engine, tiny_config):
    config = tiny_config.model_copy(update={"engine": tiny_config.engine.model_copy(update={"rows_at_once": 1})})
    flow = Flow(
        shop=Shop(tmp_path, config), ledger=ledger, tables=DeltaTables(tmp_path / "lake"), make_engine=lambda: engine,
        make_raw_ids=pytest.fail, places=Places(open_query=pytest.fail, open_objects=pytest.fail), through="",
        run_id="run-1", now_us=1, actor=local_actor(), progress=lambda _report: None, wait_s=0,
    )  # fmt: skip
    return World(flow)


def failure(code=Code.CONTRACT_BROKEN):
    return DataError("a bad day", fix="mend it", code=code)


@pytest.fixture
def sized(monkeypatch):
    """Each day counts as one row, so that each is a chunk of its own at one row at once."""
    monkeypatch.setattr("endcap.flows.chunks.Sizes.held", lambda *_: 1)


@pytest.mark.usefixtures("sized")
def test_each_chunk_is_an_attempt_of_its_own_and_the_report_is_of_all(world):
    report = world.go()
    assert world.ran == [[day] for day in DAYS]
    assert (report.state, report.partitions, report.rows) == ("done", 5, 5)
    attempts = world.flow.ledger.attempts()
    assert [(each["outcome"], each["token"]) for each in attempts] == [("done", 1)] * 5
    assert world.go().state == "unchanged"


@pytest.mark.usefixtures("sized")
def test_in_a_refresh_the_first_failure_ends_the_step_and_what_was_done_before_it_stays(world):
    world.bad = {DAYS[2]: failure()}
    with pytest.raises(DataError):
        world.go()
    world.bad = {}
    world.go()
    assert world.ran[3:] == [[DAYS[2]], [DAYS[3]], [DAYS[4]]]


def test_days_that_fail_are_found_by_halves_and_all_others_are_done(world):
    world.flow.trouble = Trouble()
    world.bad = {DAYS[1]: failure(), DAYS[4]: ZeroDivisionError("a user's secret")}
    report = world.go()
    assert (report.state, report.partitions) == ("failed", 3)
    assert "2 partitions failed" in report.note
    failed = world.flow.trouble.failed["made_up"]
    assert {day: error.code for day, error in failed.items()} == {
        DAYS[1]: Code.CONTRACT_BROKEN, DAYS[4]: Code.INTERNAL
    }  # fmt: skip
    assert "secret" not in str(failed[DAYS[4]])
    assert world.flow.tables.partitions(QUARANTINE) == [DAYS[0], DAYS[2], DAYS[3]]
    assert world.flow.trouble.tables == {f"quarantine/{DAYS[1]}": f"made_up {DAYS[1]}",
                                         f"quarantine/{DAYS[4]}": f"made_up {DAYS[4]}"}  # fmt: skip
    world.bad, world.flow.trouble, world.ran = {}, Trouble(), []
    world.go()
    assert world.ran == [[DAYS[1], DAYS[4]]]


def test_a_day_that_looks_back_on_one_that_failed_is_done_and_stays_pending(world):
    world.flow.trouble = Trouble()
    world.bad = {DAYS[1]: failure()}
    world.go(in_order=True)
    assert world.flow.tables.partitions(QUARANTINE) == [DAYS[0], *DAYS[2:]]
    world.bad, world.flow.trouble, world.ran = {}, Trouble(), []
    world.go(in_order=True)
    assert world.ran == [[DAYS[1], DAYS[2]]]
    assert world.go(in_order=True).state == "unchanged"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (LedgerError("taken over", fix="nothing", code=Code.FENCED), LedgerError),
        (OSError(28, "No space left on device"), StoreError),
        (ValueError("io: No space left on device"), StoreError),
        (ConfigError("its key is gone", fix="bring it back", code=Code.CONFIG_KEY), ConfigError),
        (ConfigError("no worker has begun", fix="start one", code=Code.ENGINE_UNREACHABLE), ConfigError),
    ],
)
def test_a_fault_that_no_day_is_guilty_of_ends_the_run(world, error, kind):
    world.flow.trouble = Trouble()
    world.bad = {DAYS[1]: error}
    with pytest.raises(kind):
        world.go()
    assert len(world.ran) == 1


def test_a_day_for_which_memory_is_too_small_does_not_end_the_run(world):
    world.flow.trouble = Trouble()
    world.bad = {DAYS[1]: ConfigError("too little memory", fix="more", code=Code.OUT_OF_MEMORY)}
    assert world.go().state == "failed"
    assert list(world.flow.trouble.failed["made_up"]) == [DAYS[1]]


@pytest.mark.usefixtures("sized")
def test_the_wait_for_the_lease_is_told_by_the_first_attempt_alone(world):
    pending, inputs = pending_of(world.flow, world.step)
    do_chunks(world.flow, world.step, pending, inputs, (Fence("local/tiny/made_up", 1), 7.0), attempt)
    assert [each["queue_s"] for each in reversed(world.flow.ledger.attempts())] == [7.0, 0.0, 0.0, 0.0, 0.0]
