import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa

from endcap.core.errors import LedgerError
from endcap.flows.lease import LEASE_S, held, holder_of_this_process
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
