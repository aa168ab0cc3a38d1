import os
import socket
import sys

import pytest

from endcap.core.errors import Code, UsageError
from endcap.serving.process import free_port, serve, server_command


@pytest.fixture
def taken_port():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_port_0_becomes_a_free_one():
    port = free_port("127.0.0.1", 0)
    assert 1024 <= port <= 65_535
    assert free_port("127.0.0.1", port) == port


def test_a_port_in_use_is_told_before_anything_starts(taken_port):
    told = []
    with pytest.raises(UsageError) as caught:
        serve("module:function", host="127.0.0.1", port=taken_port, workers=1, on_listening=told.append)
    assert caught.value.code is Code.PORT_UNUSABLE
    assert str(taken_port) in caught.value.what
    assert caught.value.fix
    assert told == []


@pytest.mark.parametrize(
    ("host", "port"), [("127.0.0.1", -1), ("127.0.0.1", 65_536), ("203.0.113.1", 8000), ("a..b", 0)]
)
def test_an_address_that_is_not_ours_is_told(host, port):
    with pytest.raises(UsageError) as caught:
        free_port(host, port)
    assert caught.value.code is Code.PORT_UNUSABLE


def test_the_process_becomes_the_server(monkeypatch):
    told, became = [], []

    class ReplacedError(Exception):
        pass

    def execve(path, command, environment):
        became.append((path, command, environment["OMP_NUM_THREADS"]))
        raise ReplacedError

    monkeypatch.setattr(os, "execve", execve)
    with pytest.raises(ReplacedError):
        serve("module:function", host="127.0.0.1", port=0, workers=3, on_listening=told.append)
    ((path, command, threads),) = became
    port = command[-2]
    assert told == [f"http://127.0.0.1:{port}"]
    assert (path, threads) == (sys.executable, "1")
    assert command == server_command("module:function", host="127.0.0.1", port=int(port), workers=3)
