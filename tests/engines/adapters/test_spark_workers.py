"""A cluster without workers is told of, and does not hang; in processes of their own: one Java has one Spark alone."""

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from endcap.engines.adapters import spark_workers
from endcap.testing.spark import is_installed, standalone

pytestmark = pytest.mark.slow

if not is_installed() and not os.environ.get("CI"):  # there the import below fails
    pytest.skip("Spark is not installed", allow_module_level=True)

ALONE = """
import sys
import time
from types import SimpleNamespace
from pathlib import Path
from endcap.engines.adapters import spark_workers
from endcap.engines.adapters.spark import SparkEngine
spark_workers._WAIT_S = 3.0
try:
    SparkEngine(master=sys.argv[1], memory_limit="512MB", threads=0, scratch=Path(sys.argv[2]))
except Exception as error:
    print(type(error).__name__, error)
"""

LOST = """
import os, signal, sys, time
from pathlib import Path
import pyarrow as pa
from endcap.engines.adapters import spark_workers
from endcap.engines.adapters.spark import SparkEngine
engine = SparkEngine(master=sys.argv[1], memory_limit="512MB", threads=0, scratch=Path(sys.argv[2]))
rows = engine.materialise(engine.read_arrow(pa.table({"n": [1, 2]})))
spark_workers._WAIT_S = 3.0
os.killpg(int(sys.argv[3]), signal.SIGKILL)
try:
    print(engine.to_arrow(rows))
except Exception as error:
    print(type(error).__name__, error)
engine.close()
"""


def told(script, *words):
    run = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, timeout=240, check=True
    )
    return run.stdout


def test_a_master_without_workers_is_told_after_a_bounded_wait(tmp_path):
    with standalone(tmp_path / "cluster", workers=0) as cluster:
        master = cluster.url.replace("spark://", "spark://127.0.0.1:1,")  # one that is away, and one that stands by
        found = told(ALONE, master, str(tmp_path / "scratch"))
    assert "ConfigError" in found
    assert f"{master} answers, but in 3 s none of its workers has begun" in found
    assert "engine-unreachable" in found


def test_workers_that_are_lost_end_the_work_instead_of_hanging_it(tmp_path):
    with standalone(tmp_path / "cluster", workers=1) as cluster:
        found = told(LOST, cluster.url, str(tmp_path / "scratch"), str(cluster.workers[0]))
    assert "EngineError Spark lost" in found
    assert "engine-failed" in found


def test_workers_that_came_back_are_no_longer_called_lost(monkeypatch):
    executors, cancelled = [0], []
    session = SimpleNamespace(sparkContext=SimpleNamespace(cancelAllJobs=lambda: cancelled.append(1)))
    monkeypatch.setattr(spark_workers, "_num_executors", lambda _session: executors[0])
    monkeypatch.setattr(spark_workers, "_LOOK_S", 0.01)
    monkeypatch.setattr(spark_workers, "_WAIT_S", 0.05)
    watch = spark_workers.WorkersWatch(session)
    try:
        until(lambda: watch.has_given_up and cancelled)
        executors[0] = 1
        until(lambda: not watch.has_given_up)
    finally:
        watch.close()


def until(holds):
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
