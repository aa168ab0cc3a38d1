import os
import socket
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec

import pytest
from tests.conftest import is_missing

from endcap.core.errors import Code, StoreError
from endcap.stores.adapters.mlflow import MlflowTracking
from endcap.stores.tracking import Measured, TrackedRun

CURVE = tuple(Measured("training/loss", step, 1 / step) for step in range(1, 1201))
RUN = TrackedRun(
    key="ab" * 16,
    name="two_tower 2026-03-01",
    started_at_us=1_000_000,
    ended_at_us=3_000_000,
    params={"seed": "17", "model.empty": "", "model.long": "x" * 7000, **{f"model.a{i}": str(i) for i in range(120)}},
    tags={"endcap.model": "two_tower"},
    measured=CURVE,
)


@pytest.fixture
def mlflow(mlflow_file):
    """An MLflow of its own: the adapter, and the client that looks."""
    from mlflow import MlflowClient  # noqa: PLC0415 - an extra

    return MlflowTracking(mlflow_file, "endcap/tiny"), MlflowClient(tracking_uri=mlflow_file)


def shown(client, view=1):
    return client.search_runs([client.get_experiment_by_name("endcap/tiny").experiment_id], "", view)


def test_a_run_is_shown_with_all_that_was_told_and_the_times_that_were_given(mlflow):
    tracking, client = mlflow
    tracking.put(RUN)
    (run,) = shown(client)
    assert (run.info.run_name, run.info.status) == ("two_tower 2026-03-01", "FINISHED")
    assert (run.info.start_time, run.info.end_time) == (1000, 3000)
    assert len(run.data.params) == 123
    assert len(run.data.params["model.long"]) == 500
    assert run.data.tags["endcap.model"] == "two_tower"
    curve = client.get_metric_history(run.info.run_id, "training/loss")
    assert [(each.step, each.value, each.timestamp) for each in curve] == [(m.step, m.value, 3000) for m in CURVE]


def test_told_twice_it_is_shown_once_and_what_came_later_is_added(mlflow):
    tracking, client = mlflow
    tracking.put(RUN)
    tracking.put(RUN)
    tracking.put(replace(RUN, measured=(*CURVE, Measured("test/ndcg@10", 0, 0.5))))
    (run,) = shown(client)
    assert run.data.metrics["test/ndcg_at_10"] == 0.5
    assert len(client.get_metric_history(run.info.run_id, "training/loss")) == len(CURVE)


def test_a_run_that_was_told_in_part_is_completed(mlflow, monkeypatch):
    tracking, client = mlflow
    tracking.put(replace(RUN, key="cd" * 16))
    with monkeypatch.context() as patched:
        patched.setattr(type(client), "set_terminated", lambda *_args, **_named: 1 / 0)
        with pytest.raises(StoreError) as caught:
            tracking.put(RUN)
    assert caught.value.code == Code.TRACKING_REFUSED
    assert sorted(run.info.status for run in shown(client)) == ["FINISHED", "RUNNING"]
    tracking.put(RUN)
    assert [run.info.status for run in shown(client)] == ["FINISHED"] * 2
    assert {len(client.get_metric_history(run.info.run_id, "training/loss")) for run in shown(client)} == {len(CURVE)}


def test_a_run_that_was_deleted_there_stays_deleted(mlflow):
    tracking, client = mlflow
    tracking.put(RUN)
    client.delete_run(shown(client)[0].info.run_id)
    tracking.put(replace(RUN, measured=()))
    assert [run.info.lifecycle_stage for run in shown(client, view=3)] == ["deleted"]


def test_an_experiment_that_was_deleted_refuses_and_says_so(mlflow):
    tracking, client = mlflow
    client.delete_experiment(client.create_experiment("endcap/tiny"))
    with pytest.raises(StoreError, match="does not take this run") as caught:
        tracking.put(RUN)
    assert caught.value.code == Code.TRACKING_REFUSED
    assert "experiment endcap/tiny" in caught.value.where


class Proxy(BaseHTTPRequestHandler):
    """Answers everything with a page of its own."""

    def do_GET(self):
        self.send_response(413)
        self.end_headers()
        self.wfile.write(b"<html>too large</html>")

    do_POST = do_GET

    def log_message(self, *_words):
        """Say nothing."""


def test_what_a_proxy_answers_is_an_answer_and_keeps_no_other_run_back():
    if find_spec("mlflow") is None:
        is_missing("MLflow", "pip install 'endcap[mlflow]'")
    with HTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(StoreError, match="413") as caught:
            MlflowTracking(f"http://127.0.0.1:{server.server_port}", "endcap/tiny").put(RUN)
        server.shutdown()
    assert caught.value.code == Code.TRACKING_REFUSED


@pytest.mark.parametrize("listens", [True, False])
def test_a_server_that_is_away_or_never_answers_is_told_so(listens, monkeypatch):
    if find_spec("mlflow") is None:
        is_missing("MLflow", "pip install 'endcap[mlflow]'")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if listens:
            server.listen()
        tracking = MlflowTracking(f"http://127.0.0.1:{server.getsockname()[1]}", "endcap/tiny")
        before = dict(os.environ)
        with pytest.raises(StoreError, match="does not answer") as caught:
            tracking.put(RUN)
    assert caught.value.code == Code.TRACKING_UNREACHABLE
    assert {**before, "MLFLOW_DISABLE_TELEMETRY": "true"} == {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
