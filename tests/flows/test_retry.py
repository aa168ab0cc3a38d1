import pytest
import sqlalchemy as sa
from tests.conftest import is_missing

from endcap.core.errors import Code, DataError, LedgerError, SourceError
from endcap.flows.ledger import Ledger, Scope
from endcap.flows.retry import LEDGER, STEP, Retry, why_again
from endcap.stores.catalog import Catalog
from endcap.testing.postgres import PASSWORD, initdb, own_server


class CommitFailedError(Exception):
    pass


def test_only_what_passes_by_itself_is_tried_again():
    away = SourceError("no answer", fix="wait", code=Code.SOURCE_UNREACHABLE)
    wrong = DataError("broken", fix="mend", code=Code.CONTRACT_BROKEN)
    told = [why_again(error) for error in (away, wrong, CommitFailedError(), TimeoutError(), ZeroDivisionError())]
    assert told == ["source-unreachable", "", "CommitFailedError", "TimeoutError", ""]


def test_waits_grow_and_end():
    assert list(STEP.waits()) == [1.0, 2.0, 4.0]
    assert 50 < sum(LEDGER.waits()) < 70


def test_a_database_that_restarts_is_waited_for_and_one_that_stays_away_is_told():
    if not initdb():
        is_missing("PostgreSQL", "apt-get install postgresql")
    with own_server() as server:
        catalog, waits = Catalog(server.url, password=PASSWORD), []

        def wait(seconds):
            waits.append(seconds)
            if len(waits) == 3:
                server.start()

        ledger = Ledger(catalog, Scope("local", "tiny", "local"), Retry(wait=wait))
        ledger.settle("key", "one")
        server.stop()
        assert ledger.settled("key") == "one"
        assert waits == [0.1, 0.2, 0.4]
        server.stop()
        with pytest.raises(LedgerError) as caught:
            ledger.settled("key")
        assert caught.value.code is Code.LEDGER_GONE
        assert PASSWORD not in str(caught.value)
        catalog.close()
        server.start()


def test_a_connection_that_breaks_within_a_transaction_is_no_reason_to_stop(postgres_server):
    catalog = Catalog(postgres_server, password=PASSWORD)
    other = Catalog(postgres_server, password=PASSWORD, schema="other")
    ledger = Ledger(catalog, Scope("local", "tiny", "local"), Retry(wait=lambda _seconds: None))
    killed = []

    def break_once(connection):
        if not killed:
            killed.append(connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one())
            with other.begin() as second:
                second.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": killed[0]})

    now_us = catalog.now_us
    catalog.now_us = lambda connection: (break_once(connection), now_us(connection))[1]
    assert ledger.writer_of("events") == ""
    assert killed
    catalog.close()
    other.close()
