import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from endcap.core.clock import day_of, system_clock
from endcap.serving.process import free_port, server_command

HEAVY = {"torch", "pandas", "duckdb", "ibis", "deltalake", "pyspark", "sqlalchemy", "scipy", "sklearn"}


def view(item, number, user="c1"):
    return {
        "event_name": "view_item",
        "user_pseudo_id": user,
        "event_id": f"{number:032x}",
        "items": [{"item_id": item}],
    }


def test_a_server_answers_and_never_loads_what_training_needs(shop, serve):
    shop.bundle(near=False)
    server = serve(shop)
    assert server.ask("/v1/recommend", {"placement": "home", "user_pseudo_id": "c1", "n": 2})["items"]
    assert server.ask("/v1/events", [view("G", 1)])["accepted"] == 1
    slate = server.ask("/v1/recommend", {"placement": "home", "user_pseudo_id": "c1", "n": 2, "explain": True})
    assert slate["items"][0]["item_id"] == "H"
    loaded = set(server.ask("/loaded")["modules"])
    assert {"faiss", "lmdb", "litestar", "pyarrow"} <= loaded
    assert loaded & HEAVY == set()
    assert server.end() == 0
    assert [path.suffix for path in (shop.landing / "events").iterdir()] == [".jsonl"]  # closed when asked to end
    assert [path.suffix for path in (shop.landing / "slates").iterdir()] == [".jsonl"]
    assert len(shop.landed("slates")) == 2


def test_what_was_acknowledged_survives_kill_9(shop, serve):
    shop.bundle(near=False)
    server = serve(shop)
    acknowledged = []

    def send(sender):
        for turn in range(10_000):
            number = sender * 10_000 + turn
            try:
                assert server.ask("/v1/events", [view("A", number, f"c{sender}")])["accepted"] == 1
            except (OSError, AssertionError, ValueError):
                return
            acknowledged.append(f"{number:032x}")

    worker = server.ask("/loaded")["process"]
    senders = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for sender in senders:
        sender.start()
    while len(acknowledged) < 60 and all(sender.is_alive() for sender in senders):
        time.sleep(0.001)
    assert len(acknowledged) >= 60
    os.kill(worker, signal.SIGKILL)  # first: it would end in good order without its server
    os.kill(server.process.pid, signal.SIGKILL)
    for sender in senders:
        sender.join()
    (left,) = (shop.landing / "events").iterdir()
    assert left.name.endswith(".jsonl.open")
    with left.open("ab") as file:
        file.write(b'{"event_id": "torn')  # a line that the machine had no time to finish

    again = serve(shop)
    assert {path.suffix for path in (shop.landing / "events").iterdir()} == {".jsonl"}  # adopted
    found = {event["event_id"] for event in shop.landed("events")}
    assert set(acknowledged) <= found
    again.end()


def test_a_server_that_lost_its_visitors_state_makes_it_again_from_the_log(shop, serve):
    shop.bundle(near=False, through=day_of(system_clock()))  # refreshed today, and the day goes on
    question = {"placement": "home", "user_pseudo_id": "c1", "n": 1}
    server = serve(shop, workers=2)
    assert server.ask("/v1/events", [view("G", 1)])["accepted"] == 1
    assert server.ask("/v1/recommend", question)["items"][0]["item_id"] == "H"
    server.end()
    (shop.root / "kv" / "data.mdb").write_bytes(b"damaged")
    again = serve(shop, workers=2)
    answers = [again.ask("/v1/recommend", question)["items"][0]["item_id"] for _ in range(6)]
    assert answers == ["H"] * 6
    again.end()


def test_workers_do_not_outlive_a_server_that_was_killed(shop, serve):
    shop.bundle(near=False)
    server = serve(shop, workers=2)
    assert server.ask("/v1/events", [view("G", 1)])["accepted"] == 1
    server.end(signal.SIGKILL)
    until = time.monotonic() + 20
    with (shop.root / "kv.lock").open() as lock:  # every worker holds it
        while time.monotonic() < until:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(0.05)
        else:
            raise AssertionError("a worker is still there")
    assert free_port("127.0.0.1", server.port) == server.port
    assert [path.suffix for path in (shop.landing / "events").iterdir()] == [".jsonl"]  # they ended in good order


def test_bundles_are_swapped_while_questions_are_answered_and_a_damaged_one_is_refused(shop, serve):
    first = shop.bundle(near=False)
    server = serve(shop, workers=2)
    answers, failures, is_over = [], [], threading.Event()

    def ask():
        while not is_over.is_set():
            try:
                answers.append(server.ask("/v1/recommend", {"placement": "home", "n": 3}))
            except OSError as error:
                failures.append(error)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()

    def wait_until(is_so):
        until = time.monotonic() + 20
        while not is_so() and time.monotonic() < until:
            time.sleep(0.02)
        assert is_so()

    wait_until(lambda: len(answers) > 20)
    second = shop.bundle(near=False, sessions=["HG", "HG", "HGC"])
    wait_until(lambda: len(answers) > 50 and all(each["model_version"] == second for each in answers[-20:]))
    third = shop.write(near=False, sessions=["CA"])
    damaged = shop.bundles / third / "models" / "popular" / "arrays.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    shop.put_in_force(third)
    wait_until(lambda: "bundle.refused" in Path(server.errors.name).read_text())
    is_over.set()
    for asker in askers:
        asker.join()
    assert failures == []
    told = {(each["model_version"], "".join(item["item_id"] for item in each["items"])) for each in answers}
    assert told <= {(first, "ABD"), (second, "GHC")}
    assert {(first, "ABD"), (second, "GHC")} <= told
    for number in range(10):
        server.ask("/v1/events", [view("A", number)])
    assert "endcap_events_ingested_total 10.0" in server.read("/metrics").decode()  # of both workers together
    server.end()


def test_a_server_that_cannot_begin_says_why_once_and_ends_with_2(tmp_path):
    (tmp_path / "refusing_target.py").write_text(
        "from endcap.core.errors import Code, ConfigError\n"
        "def create():\n"
        "    raise ConfigError('there is no shop here', fix='make one', code=Code.CONFIG_MISSING)\n"
    )
    command = server_command("refusing_target:create", host="127.0.0.1", port=free_port("127.0.0.1", 0), workers=2)
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{os.pathsep.join(sys.path)}"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert ended.stderr.count("there is no shop here [config-missing]\n  fix: make one\n") == 1
    assert "Traceback" not in ended.stderr
