import json
import shutil
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from endcap.cli.main import main


@pytest.fixture
def served(tmp_path, tiny_shop):
    """A copy of the refreshed shop: a server writes into its shop."""
    return shutil.copytree(tiny_shop, tmp_path / "served")


@pytest.fixture
def start(tmp_path):
    """Start `endcap serve` as a process of its own; one that is left is killed at the end of the test."""
    started = []

    def serve(shop, *words):
        command = [sys.executable, "-m", "endcap", "serve", str(shop), *words]
        with (tmp_path / "serve.log").open("wb") as errors:
            started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True))
        return started[-1]

    yield serve
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_shop_is_served_until_the_process_is_told_to_end(served, start):
    process = start(served, "--port", "0", "--workers", "1")
    line = process.stdout.readline()
    assert line.startswith("listening on http://127.0.0.1:")
    # It listens a moment after it has said so: the first connection is tried until it does.
    patient = httpx.HTTPTransport(retries=8)
    with httpx.Client(base_url=line.split()[-1], transport=patient, timeout=30) as client:
        assert client.get("/health/ready").status_code == 200
        asked = {"placement": "home", "user_pseudo_id": "c1", "n": 3}
        slate = client.post("/v1/recommend", json=asked).raise_for_status().json()
    assert len(slate["items"]) == 3
    assert slate["model_version"] == (served / "bundles" / "current").read_text().strip()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    (segment,) = (served / "landing" / "slates").iterdir()
    assert segment.suffix == ".jsonl"  # complete: ingest may read it
    assert json.loads(segment.read_text())["recommendation_id"] == slate["recommendation_id"]


def test_a_shop_that_was_never_refreshed_is_not_served(fresh_shop, capsys):
    assert main(["serve", str(fresh_shop), "--port", "0"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "there is no bundle [bundle-missing]" in told.err
    assert "fix: run `endcap refresh SHOP`" in told.err


def test_a_port_in_use_is_told_in_three_lines(tiny_shop, capsys, monkeypatch):
    monkeypatch.setenv("ENDCAP_SHOP", "")  # put back at the end of the test
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        assert main(["serve", str(tiny_shop), "--port", port]) == 2
    what, where, fix = capsys.readouterr().err.rstrip("\n").split("\n")
    assert port in what
    assert "[port-unusable]" in what
    assert "--port" in where
    assert fix.startswith("  fix: choose another port")


def test_a_port_that_is_none_is_told(tiny_shop, capsys, monkeypatch):
    monkeypatch.setenv("ENDCAP_SHOP", "")  # put back at the end of the test
    assert main(["serve", str(tiny_shop), "--port", "70000"]) == 2
    assert "ports are 0 to 65535" in capsys.readouterr().err
    assert main(["serve", str(tiny_shop), "--port", "http"]) == 2
    told = capsys.readouterr()
    assert "http" in told.out + told.err


@pytest.mark.parametrize("workers", ["-1", "0"])
def test_a_number_of_workers_that_is_none_is_told(workers, tiny_shop, capsys, monkeypatch):
    monkeypatch.setenv("ENDCAP_SHOP", "")  # put back at the end of the test
    assert main(["serve", str(tiny_shop), "--port", "0", "--workers", workers]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert f"a server has 1 to 256 workers, not {workers} [usage]" in told.err


def test_a_shop_is_served_on_a_host_that_is_named(served, start):
    process = start(served, "--host", "localhost", "--port", "0")
    line = process.stdout.readline()
    assert line.startswith("listening on http://localhost:")
    with httpx.Client(base_url=line.split()[-1], transport=httpx.HTTPTransport(retries=8), timeout=30) as client:
        assert client.get("/health/live").status_code == 200
