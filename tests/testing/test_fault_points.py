import sqlite3
import subprocess
import sys

import pytest
import sqlalchemy as sa

from endcap.core.errors import StoreError
from endcap.flows.holder import holder_of_this_process
from endcap.flows.ledger import Ledger, Scope
from endcap.flows.retry import Retry
from endcap.stores.cache import LocalCache
from endcap.stores.catalog import Catalog
from endcap.testing.faults import Fault, FaultKind
from endcap.testing.forked import run_forked


def settle_two(path):
    """Settle two facts; end with 3 where the disk is full."""
    catalog = Catalog(path)
    try:
        ledger = Ledger(catalog, Scope("local", "tiny", "local"), Retry(wait=lambda _seconds: None))
        ledger.settle("one", "1")
        ledger.settle("two", "2")
        assert ledger.settled("one") == "1"
    except sa.exc.OperationalError as error:
        return 3 if "disk is full" in str(error) else 4
    finally:
        catalog.close()
    return 0


def facts(path):
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT name FROM fact ORDER BY name").fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("kind", "code", "left"),
    [
        (FaultKind.KILL_BEFORE, -9, ["one"]),
        (FaultKind.KILL_AFTER, -9, ["one", "two"]),
        (FaultKind.TORN, -9, ["one"]),
        (FaultKind.NO_SPACE, 3, ["one"]),
        (FaultKind.ANSWER_LOST, 0, ["one", "two"]),
    ],
)
def test_a_transaction_that_writes_is_an_operation_and_reading_is_none(tmp_path, kind, code, left):
    path = tmp_path / "endcap.db"
    run_forked(lambda: Catalog(path).close() or 0)  # the migrations are transactions, too
    assert run_forked(lambda: settle_two(path), Fault(kind, "catalog", 2))[0] == code
    assert [name for (name,) in facts(path)] == left


def test_a_copy_into_the_cache_can_find_no_room(tmp_path):
    def bring():
        cache = LocalCache(tmp_path, limit_bytes=100, fetch=lambda _key, path: path.write_bytes(b"whole"))
        try:
            cache.bring({"a": 5, "b": 5})
        except StoreError as error:
            return 3 if "the disk is full" in str(error) else 4
        finally:
            cache.close()
        return 0

    assert run_forked(bring, Fault(FaultKind.NO_SPACE, "cache", 2))[0] == 3
    assert len(list((tmp_path / "files").rglob("*"))) <= 1
    assert run_forked(bring) == (0, ["cache"])
    assert {path.read_bytes() for path in (tmp_path / "files").iterdir()} == {b"whole"}


def test_nothing_that_a_shop_runs_knows_of_it():
    told = "import endcap.cli.main, endcap.flows.worker, sys; print([m for m in sys.modules if 'endcap.testing' in m])"
    ended = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
    assert holder_of_this_process()
