import subprocess
import sys

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.core.clock import fixed_clock
from endcap.core.errors import AccessError, Code, ConfigError, LedgerError
from endcap.core.tables import EVENTS
from endcap.flows.runner import run_steps
from endcap.flows.shop import find_shop
from endcap.flows.steps import FIRST_STEP, STEPS
from endcap.flows.wiring.batch import CATALOG_PASSWORD_VARIABLE, open_engine, open_flow, open_ledger
from endcap.governance.access import Actor, ActorKind, Role, local_actor
from endcap.testing.postgres import PASSWORD

LOOK = """
import sys
from pathlib import Path
from endcap.flows.shop import find_shop
from endcap.flows.wiring.batch import open_flow
with open_flow(find_shop(Path(sys.argv[1])), through="", progress=print) as flow:
    print(len(flow.ledger.parts("events")), {"duckdb", "torch"} & set(sys.modules) or "light")
    flow.engine
    print({"duckdb", "torch"} & set(sys.modules))
"""


def opened(root, **options):
    return open_flow(find_shop(root), through="", progress=lambda _report: None, **options)


def test_a_flow_loads_the_engine_when_it_is_first_used(tiny_shop):
    run = subprocess.run([sys.executable, "-c", LOOK, tiny_shop], capture_output=True, text=True, check=True)
    assert run.stdout == "3 light\n{'duckdb'}\n"


def test_a_flow_has_the_settings_of_its_shop(own_shop, monkeypatch):
    monkeypatch.setenv("ENDCAP__ENGINE__THREADS", "1")
    monkeypatch.setenv("ENDCAP__ENGINE__MEMORY_LIMIT", "512MB")
    with opened(own_shop) as flow:
        raw = flow.engine._raw  # noqa: SLF001 - DuckDB's own word for it
        asked = "SELECT current_setting('threads'), current_setting('memory_limit'), current_setting('temp_directory')"
        threads, memory, spill = raw.execute(asked).fetchone()
    assert (threads, memory) == (1, "488.2 MiB")
    assert spill.startswith(str(own_shop.resolve() / "scratch" / "spill-"))


def test_the_engine_is_freed_at_the_end_and_when_a_step_fails(own_shop):
    held = []

    def fail():
        with opened(own_shop) as flow:
            held.append(flow.engine)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with pytest.raises(duckdb.ConnectionException):
        held[0].read_arrow(pa.table({"a": [1]}))


def test_a_flow_reads_the_tables_and_the_ledger_of_its_shop(tiny_shop):
    with opened(tiny_shop) as flow:
        parts = flow.ledger.parts(EVENTS.name)
        rows = flow.engine.to_arrow(flow.read(EVENTS, ["2026-01-02"])).num_rows
    assert rows == parts["2026-01-02"].rows > 0
    with open_ledger(find_shop(tiny_shop)) as ledger:
        assert ledger.parts(EVENTS.name) == parts
        assert (ledger.scope.organisation, ledger.scope.project, ledger.scope.region) == ("local", "tiny", "local")


def test_a_run_is_named_by_its_day_and_its_instant(tiny_shop):
    ids = []
    for at in ("2026-02-03T04:05:06", "2026-02-03T04:05:07"):
        with opened(tiny_shop, clock=fixed_clock(at)) as flow:
            ids.append(flow.run_id)
            assert flow.now_us == fixed_clock(at)()
    assert all(each.startswith("2026-02-03-") for each in ids)
    assert ids[0] != ids[1]


def test_who_asks_is_the_user_of_the_machine_unless_another_is_named(own_shop):
    analyst = Actor(kind=ActorKind.PERSON, name="eve", roles=frozenset({Role.ANALYST}), organisation="local")
    with opened(own_shop) as flow:
        assert flow.actor == local_actor()
    with opened(own_shop, actor=analyst) as flow:
        flow.ledger.forget("ingest")
        with pytest.raises(AccessError, match=r"person:eve may not events\.ingest"):
            run_steps(flow, [step for step in STEPS if step.name == FIRST_STEP])
        refused = flow.ledger.audit.rows(limit=1)[0]
    assert (refused["actor"], refused["outcome"]) == ("person:eve", "refused")


def test_files_can_be_looked_at_before_there_is_a_shop(tmp_path):
    pq.write_table(pa.table({"a": [1, 2, 3]}), tmp_path / "some.parquet")
    with open_engine(tmp_path / "deep" / "scratch") as engine:
        found = engine.to_arrow(engine.read_parquet([str(tmp_path / "some.parquet")]))
    assert found["a"].to_pylist() == [1, 2, 3]
    with pytest.raises(duckdb.ConnectionException):
        engine.read_arrow(pa.table({"a": [1]}))


def test_shops_of_one_database_do_not_see_each_other(own_shop, postgres_server, monkeypatch):
    monkeypatch.setenv("ENDCAP__STORES__CATALOG", postgres_server)
    monkeypatch.setenv(CATALOG_PASSWORD_VARIABLE, PASSWORD)
    with open_ledger(find_shop(own_shop)) as ledger:
        ledger.settle("key", "one")
    with open_ledger(find_shop(own_shop)) as ledger:
        assert ledger.settled("key") == "one"
    monkeypatch.setenv("ENDCAP__SHOP__PROJECT", "o" * 63)
    with open_ledger(find_shop(own_shop)) as ledger:
        assert ledger.settled("key") is None


def test_a_wrong_password_is_told_without_it(own_shop, postgres_server, monkeypatch):
    monkeypatch.setenv("ENDCAP__STORES__CATALOG", postgres_server)
    monkeypatch.setenv(CATALOG_PASSWORD_VARIABLE, "guessed")
    with pytest.raises(LedgerError, match="password authentication failed") as caught, open_ledger(find_shop(own_shop)):
        pytest.fail("opened")
    assert caught.value.code is Code.LEDGER_UNUSABLE
    assert "guessed" not in str(caught.value)


def test_spark_without_a_java_or_without_pyspark_is_told_before_anything_is_computed(own_shop, monkeypatch, tmp_path):
    monkeypatch.setenv("ENDCAP__ENGINE__NAME", "spark")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with opened(own_shop) as flow, pytest.raises(ConfigError, match="Spark needs Java 17 or newer") as caught:
        flow.engine  # noqa: B018 - asking makes it
    assert (caught.value.code, caught.value.where) == (Code.ENGINE_MISSING, "$.engine.name")
    monkeypatch.setitem(sys.modules, "endcap.engines.adapters.spark", None)
    with opened(own_shop) as flow, pytest.raises(ConfigError, match="PySpark cannot be loaded") as caught:
        flow.engine  # noqa: B018 - asking makes it
    assert caught.value.code is Code.ENGINE_MISSING
    assert "pip install 'endcap[spark]'" in caught.value.fix
