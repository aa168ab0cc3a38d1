import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from endcap.core.errors import LedgerError
from endcap.flows.lease import LEASE_S, held, holder_of_this_process
from endcap.flows.ledger import Ledger, Part, Scope
from endcap.flows.retry import Retry
from endcap.stores.catalog import Catalog, lease


def stored(catalog):
    with catalog.begin() as connection:
        return connection.execute(sa.select(lease)).one()


def test_the_token_grows_with_every_holder(catalog):
    tokens = []
    for _ in range(3):
        with held(catalog, "shop/step", wait_s=0) as mine:
            tokens.append(mine.fence.token)
    assert tokens == [1, 2, 3]


def test_a_lease_is_free_after_its_block_even_when_it_raises(catalog):
    with pytest.raises(ZeroDivisionError), held(catalog, "shop/step", wait_s=0):
        raise ZeroDivisionError
    assert stored(catalog).holder is None
    with held(catalog, "shop/step", wait_s=0):
        pass


def test_a_living_holder_is_not_robbed_and_is_named(catalog):
    told = r"another runner does this step: process \d+"
    with (
        held(catalog, "shop/step", wait_s=0),
        pytest.raises(LedgerError, match=told),
        held(catalog, "shop/step", wait_s=0),
    ):
        pytest.fail("two holders")


def test_other_steps_are_free_meanwhile(catalog):
    with held(catalog, "shop/one", wait_s=0), held(catalog, "shop/two", wait_s=0) as other:
        assert other.fence.name == "shop/two"


def test_a_dead_runner_of_this_machine_is_replaced_at_once(catalog, tmp_path):
    script = (
        "import os, sys; from pathlib import Path\n"
        "from endcap.flows.lease import held; from endcap.stores.catalog import Catalog\n"
        "with held(Catalog(Path(sys.argv[1])), 'shop/step', wait_s=0): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path / "endcap.db")], check=False).returncode == 9
    assert stored(catalog).holder is not None
    with held(catalog, "shop/step", wait_s=0) as mine:
        assert mine.fence.token == 2


def test_a_holder_elsewhere_is_replaced_only_when_its_lease_has_run_out(catalog):
    with catalog.begin() as connection:
        far_us = catalog.now_us(connection) + LEASE_S * 1_000_000
        connection.execute(
            sa.insert(lease).values(name="shop/step", holder="elsewhere|boot|12|1.00", token=7, expires_at_us=far_us)
        )
    with pytest.raises(LedgerError, match="process 12 on elsewhere"), held(catalog, "shop/step", wait_s=0):
        pytest.fail("robbed")
    with catalog.begin() as connection:
        connection.execute(sa.update(lease).values(expires_at_us=1))
    with held(catalog, "shop/step", wait_s=0) as mine:
        assert mine.fence.token == 8


def test_who_waits_gets_the_lease_when_it_is_given_back(catalog, tmp_path):
    mine_is_held, give_back = threading.Event(), threading.Event()

    def first():
        with held(Catalog(tmp_path / "endcap.db"), "shop/step", wait_s=0):
            mine_is_held.set()
            give_back.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    mine_is_held.wait(10)
    threading.Timer(0.3, give_back.set).start()
    with held(catalog, "shop/step", wait_s=10) as second:
        assert (second.fence.token, second.queue_s > 0) == (2, True)
    thread.join()


def test_a_holder_names_machine_process_and_start():
    assert holder_of_this_process() == holder_of_this_process()
    assert holder_of_this_process().count("|") == 3


PAUSED = """
import sys
from pathlib import Path
from endcap.core.errors import LedgerError
from endcap.flows.lease import held
from endcap.flows.ledger import AttemptStart, Ledger, Part, Scope
from endcap.stores.catalog import Catalog

ledger = Ledger(Catalog(Path(sys.argv[1])), Scope("local", "tiny", "local"))
with held(ledger.catalog, ledger.lease_name("ingest"), wait_s=0, lease_s=0.3) as mine:
    begun = AttemptStart("late", "os_user:ann", "ingest", {"d1": "late"}, {}, "c", "d", "0", 0.0)
    attempt = ledger.start(begun, mine.fence)
    ledger.writing(attempt, "events", ["d1"])
    print("writing", flush=True)
    sys.stdin.readline()
    for act in (lambda: ledger.wrote("events", {"d1": Part("late", 1, 1)}, attempt_id=attempt),
                lambda: ledger.check_held(attempt)):
        try:
            act()
        except LedgerError as error:
            print(error.code.value, flush=True)
"""


def test_a_runner_that_was_stopped_for_longer_than_its_lease_wakes_up_and_notes_nothing(catalog, tmp_path):
    ledger = Ledger(catalog, Scope("local", "tiny", "local"))
    command = [sys.executable, "-c", PAUSED, str(tmp_path / "endcap.db")]
    late = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert late.stdout.readline() == "writing\n"
    late.send_signal(signal.SIGSTOP)
    assert ledger.writer_of("events").split("|")[2] == str(late.pid)
    with held(catalog, ledger.lease_name("ingest"), wait_s=None) as mine:
        ledger.wrote("events", {"d1": Part("newer", 2, 2)})
        late.send_signal(signal.SIGCONT)
        told = late.communicate("go on\n")[0]
        assert told.split() == ["fenced", "fenced"]
        assert stored(catalog).token == mine.fence.token
    assert ledger.parts("events") == {"d1": Part("newer", 2, 2)}


def test_who_waits_is_told_once_for_whom(catalog, tmp_path):
    told, other = [], Catalog(tmp_path / "endcap.db")

    def waiting(who):
        told.append(who)
        give_back.set()

    give_back, mine_is_held = threading.Event(), threading.Event()

    def first():
        with held(other, "shop/step", wait_s=0):
            mine_is_held.set()
            give_back.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    mine_is_held.wait(10)
    with held(catalog, "shop/step", wait_s=None, waiting=waiting):
        assert told == [f"process {os.getpid()} on {socket.gethostname()}"]
    thread.join()
    other.close()


def test_a_lease_whose_taking_was_written_and_not_answered_is_ours(catalog, monkeypatch):
    begin, lost = catalog.begin, []

    @contextmanager
    def answer_lost():
        with begin() as connection:
            yield connection
        if not lost and connection.dialect.name == "sqlite":
            lost.append(sa.exc.OperationalError("COMMIT", {}, ConnectionError("the server closed the connection")))
            raise lost[0]

    monkeypatch.setattr(catalog, "begin", answer_lost)
    with held(catalog, "shop/step", wait_s=0, retry=Retry(wait=lambda _seconds: None)) as mine:
        assert (mine.fence.token, stored(catalog).token) == (1, 1)
    assert lost
