import os
import shutil
import socket

import pytest

from endcap.core.errors import BundleError, Code, ConfigError, UsageError
from endcap.flows.serve import serve_shop
from endcap.serving.process import server_command

TARGET = "endcap.flows.wiring.serving:create"


class BecameServerError(Exception):
    """Stands for the moment at which this process would become the server."""


@pytest.fixture
def became(monkeypatch):
    """The commands and environments that this process would have become."""
    seen = []

    def execve(_path, command, environment):
        seen.append((command, environment))
        raise BecameServerError

    monkeypatch.setenv("ENDCAP_SHOP", "")  # put back at the end of the test
    monkeypatch.setattr(os, "execve", execve)
    return seen


@pytest.fixture
def told():
    return []


def start(root, told, *, host="", port=None, workers=None):
    serve_shop(root, host=host, port=port, workers=workers, on_listening=told.append)


def starts(flow_of, root):
    rows = flow_of(root).ledger.audit.rows(limit=200)
    return [row["resource"] for row in rows if row["action"] == "serving.start"]


def test_a_shop_without_a_bundle_is_not_served(tmp_path, make_hand_made, became, told, flow_of):
    root = make_hand_made(tmp_path / "hand", {})
    with pytest.raises(BundleError) as caught:
        start(root, told, port=0)
    assert (caught.value.code, caught.value.fix) == (Code.BUNDLE_MISSING, "run `endcap refresh SHOP`")
    assert (told, became, starts(flow_of, root)) == ([], [], [])


def test_a_bundle_that_is_gone_is_told(own_shop, became, told):
    shutil.rmtree(own_shop / "bundles" / (own_shop / "bundles" / "current").read_text().strip())
    with pytest.raises(BundleError, match="there is no bundle"):
        start(own_shop, told, port=0)
    assert became == []


def test_a_missing_key_is_told_once_and_before_any_worker_starts(own_shop, became, told):
    (own_shop / "keys" / "user.key").unlink()
    with pytest.raises(ConfigError, match="the shop's key is missing"):
        start(own_shop, told, port=0)
    assert (told, became) == ([], [])


def test_a_port_in_use_is_told(own_shop, became, told):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1, port {port}") as caught:
            start(own_shop, told, port=port)
    assert caught.value.code is Code.PORT_UNUSABLE
    assert (told, became) == ([], [])


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_cannot_be_is_told(port, own_shop, became, told):
    with pytest.raises(UsageError, match="ports are 0 to 65535"):
        start(own_shop, told, port=port)
    assert (told, became) == ([], [])


def test_the_process_becomes_a_server_of_this_shop_and_that_is_written_down(own_shop, became, told, flow_of):
    with pytest.raises(BecameServerError):
        start(own_shop, told, port=0, workers=3)
    ((command, environment),) = became
    port = command[-2]
    assert told == [f"http://127.0.0.1:{port}"]
    assert command == server_command(TARGET, host="127.0.0.1", port=int(port), workers=3)
    assert environment["ENDCAP_SHOP"] == str(own_shop.resolve())
    in_force = (own_shop / "bundles" / "current").read_text().strip()
    assert starts(flow_of, own_shop) == [f"bundle/{in_force}"]


def test_what_is_not_said_is_taken_from_the_settings(own_shop, became, told, monkeypatch):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
    monkeypatch.setenv("ENDCAP__SERVING__PORT", str(port))
    monkeypatch.setenv("ENDCAP__SERVING__HOST", "localhost")
    monkeypatch.setenv("ENDCAP__SERVING__WORKERS", "2")
    with pytest.raises(BecameServerError):
        start(own_shop, told)
    assert told == [f"http://localhost:{port}"]
    assert became[0][0] == server_command(TARGET, host="127.0.0.1", port=port, workers=2)


@pytest.mark.parametrize("workers", [-1, 0, 257])
def test_a_number_of_workers_that_cannot_be_is_told_before_anything_is_done(workers, own_shop, became, told, flow_of):
    before = starts(flow_of, own_shop)
    with pytest.raises(UsageError, match=f"1 to 256 workers, not {workers}") as caught:
        start(own_shop, told, port=0, workers=workers)
    assert (caught.value.code, caught.value.exit_code) == (Code.USAGE, 2)
    assert (told, became, starts(flow_of, own_shop)) == ([], [], before)


@pytest.mark.parametrize("host", ["a..b", "x" * 64, "http://127.0.0.1", "256.1.1.1"])
def test_a_host_that_cannot_be_is_told(host, own_shop, became, told):
    with pytest.raises(UsageError, match="the server cannot listen on") as caught:
        start(own_shop, told, host=host, port=0)
    assert caught.value.code is Code.PORT_UNUSABLE
    assert (told, became) == ([], [])
