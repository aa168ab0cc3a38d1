import pyarrow as pa
import pytest

from endcap.core.tables import EVENTS, ITEMS, SESSIONS
from endcap.flows.flow import Flow, Places
from endcap.flows.ledger import Part
from endcap.flows.shop import Shop
from endcap.governance.access import local_actor
from endcap.stores.adapters.delta import DeltaTables
from endcap.stores.adapters.sealed_ids import SealedIds


@pytest.fixture
def made():
    """The engines that a flow has asked for."""
    return []


@pytest.fixture
def make_flow(tmp_path, ledger, engine, tiny_config, made):
    def make_engine():
        made.append(engine)
        return engine

    def make(through=""):
        return Flow(
            shop=Shop(tmp_path, tiny_config),
            ledger=ledger,
            tables=DeltaTables(tmp_path / "lake"),
            make_engine=make_engine,
            make_raw_ids=lambda: SealedIds(tmp_path / "raw_ids.db", bytes(32)),
            places=Places(open_query=pytest.fail, open_objects=pytest.fail),
            through=through,
            run_id="run-1",
            now_us=1,
            actor=local_actor(),
            progress=lambda _report: None,
        )

    return make


@pytest.fixture
def told(ledger):
    """Four days of events, the third of which has lost its rows."""
    days = {"2026-01-01": 3, "2026-01-02": 2, "2026-01-03": 0, "2026-01-04": 1}
    ledger.wrote("events", {day: Part(f"digest of {day}", rows, 0) for day, rows in days.items()})


@pytest.mark.usefixtures("told")
def test_days_are_those_that_have_rows(make_flow):
    assert make_flow().days(EVENTS) == ["2026-01-01", "2026-01-02", "2026-01-04"]
    assert make_flow().days(SESSIONS) == []


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    ("through", "last"), [("2026-01-02", 2), ("2026-01-03", 2), ("2026-01-09", 3), ("2025-12-31", 0)]
)
def test_days_after_the_last_one_asked_for_are_not_there(through, last, make_flow):
    assert make_flow(through).days(EVENTS) == ["2026-01-01", "2026-01-02", "2026-01-04"][:last]


@pytest.mark.usefixtures("told")
def test_digests_name_table_and_day_and_pass_over_days_without_rows(make_flow):
    asked = ["2026-01-02", "2026-01-03", "2026-01-09"]
    assert make_flow().digests(EVENTS, asked) == {"events/2026-01-02": "digest of 2026-01-02"}


def test_a_table_in_one_piece_has_one_digest(make_flow, ledger):
    ledger.wrote("items", {"": Part("all", 5, 2)})
    assert make_flow("2026-01-02").digests(ITEMS, [""]) == {"items/": "all"}


def test_a_table_that_was_never_written_is_read_as_an_empty_one(make_flow):
    flow = make_flow()
    found = flow.engine.to_arrow(flow.read(EVENTS))
    assert (found.num_rows, found.column_names) == (0, EVENTS.names)


def test_the_engine_is_made_once_and_only_when_it_is_used(make_flow, made):
    flow = make_flow()
    flow.days(EVENTS)
    flow.close()
    assert made == []
    assert flow.engine is flow.engine
    assert len(made) == 1


def test_a_closed_flow_has_freed_its_engine(make_flow):
    flow = make_flow()
    table = flow.engine.read_arrow(pa.table({"a": [1]}))
    assert flow.engine.to_arrow(table).num_rows == 1
    flow.close()
    with pytest.raises(Exception, match=r"[Cc]onnection"):
        flow.engine.to_arrow(table)


def test_the_seed_is_that_of_the_shop(make_flow, tiny_config):
    assert make_flow().seed == tiny_config.shop.seed == 17
