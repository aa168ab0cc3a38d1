"""The bridge with a real Spark as the writer: its process is killed, and the next attempt does the work again."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from endcap.core.contract import Column, Kind, Table
from endcap.core.errors import Code, LedgerError
from endcap.stores.adapters.delta import DeltaTables
from endcap.stores.tables import Fence

pytestmark = pytest.mark.slow

if importlib.util.find_spec("pyspark") is None or shutil.which("java") is None:
    if os.environ.get("CI"):
        raise RuntimeError("Spark is not installed: it needs pyspark and a Java 17")
    pytest.skip("Spark is not installed: it needs pyspark and a Java 17", allow_module_level=True)

DAYS = Table(
    "days",
    "a count",
    (
        Column("date_partition", Kind.STRING, "day"),
        Column("n", Kind.INT64, "count"),
        Column("rate", Kind.FLOAT64, "rate"),
        Column("names", Kind.STRINGS, "names"),
    ),
    ("n",),
)

# It tells what it has done by a line, and then waits to be told more, or to be killed.
WRITER = """
import sys
from pyspark.sql import SparkSession

folder = sys.argv[1]
spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "2")
    .config("spark.driver.memory", "512m").config("spark.driver.host", "127.0.0.1")
    .config("spark.sql.session.timeZone", "UTC").getOrCreate()
)

def write(attempt, rows, stuck):
    def held_up(rows):
        for row in rows:
            if row[1] == 99:
                open(stuck, "w").close()  # waits until somebody reads, then forever
                open(stuck, "r").read()
            yield row

    # Two tasks on one core: the second begins when the first has written its files.
    rows = spark.sparkContext.parallelize(rows, 2).mapPartitions(held_up)
    made = spark.createDataFrame(rows, "date_partition string, n long, rate double, names array<string>")
    made.write.mode("error").partitionBy("date_partition").parquet(f"{folder}/attempt-{attempt}")

print("ready", flush=True)
for line in sys.stdin:
    attempt, rows, stuck = eval(line)
    write(attempt, rows, stuck)
    print("written", flush=True)
"""


class Writer:
    """A Spark of its own process group, so that its Java dies with it."""

    def __init__(self, folder, log):
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            text=True, start_new_session=True,
        )  # fmt: skip
        assert self.told() == "ready"

    def told(self):
        return self.process.stdout.readline().strip()

    def ask(self, attempt, rows, stuck=""):
        self.process.stdin.write(f"{(attempt, rows, str(stuck))!r}\n")
        self.process.stdin.flush()

    def write(self, attempt, rows):
        self.ask(attempt, rows)
        assert self.told() == "written"

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def row(day, n):
    return (day, n, n / 2, ["x"] * n)


def numbers(store):
    found = pa.table(DeltaTable(store.folder(DAYS)).to_pyarrow_table()).to_pylist()
    assert all((each["rate"], len(each["names"])) == (each["n"] / 2, each["n"]) for each in found)
    return sorted((each["date_partition"], each["n"]) for each in found)


def test_what_a_killed_spark_left_is_never_seen_and_the_next_attempt_does_it_again(tmp_path):
    store, stuck = DeltaTables(tmp_path / "lake"), tmp_path / "stuck"
    os.mkfifo(stuck)
    days = ["2026-01-01", "2026-01-02"]
    with (tmp_path / "spark.log").open("w") as log:
        writer = Writer(store.folder(DAYS), log)
        try:
            writer.write(1, [row(days[0], 1), row(days[1], 2)])
            files = store.written(DAYS, "1")
            assert [(each.partition, each.rows, each.least) for each in files] == [
                (days[0], 1, {"n": 1, "rate": 0.5}),
                (days[1], 1, {"n": 2, "rate": 1.0}),
            ]
            assert store.adopt(DAYS, days, files, read_version=-1, fence=Fence("shop/days", 1)) == 0
            writer.write(2, [row(days[0], 5), row(days[1], 6)])  # whole, and never committed
            writer.ask(3, [row(days[0], 7), row(days[1], 8), row(days[1], 99), row(days[0], 9)], stuck)
            stuck.open().close()  # it is in the middle of writing now
        finally:
            writer.kill()
        assert (numbers(store), store.version(DAYS)) == ([(days[0], 1), (days[1], 2)], 0)
        late = store.written(DAYS, "2")
    half = [path.name for path in (tmp_path / "lake/days/attempt-3").rglob("*.parquet")]
    assert (len(half), store.written(DAYS, "3")) == (2, []), "what a task has written is not what a job has"
    again = tmp_path / f"lake/days/attempt-4/date_partition={days[0]}"
    again.mkdir(parents=True)
    columns = list(zip(*[row(days[0], n)[1:] for n in (5, 6)], strict=True))
    pq.write_table(pa.table(dict(zip(DAYS.names[1:], map(list, columns), strict=True))), again / "part-0.parquet")
    gone = store.clean(DAYS, fence=Fence("shop/days", 2), living=["4"])
    left = sorted(path.name for path in (tmp_path / "lake/days").iterdir())
    assert ({path.split("/")[0] for path in gone}, left) == (
        {"attempt-1", "attempt-2", "attempt-3"},  # of the first: marks of Spark's, which no version names
        ["_delta_log", "attempt-1", "attempt-4"],
    )
    with pytest.raises(LedgerError) as caught:
        store.adopt(DAYS, days, late, read_version=0, fence=Fence("shop/days", 1))
    assert caught.value.code == Code.FENCED
    files = store.written(DAYS, "4")
    assert store.adopt(DAYS, days, files, read_version=0, fence=Fence("shop/days", 2)) == 2
    assert numbers(store) == [(days[0], 5), (days[0], 6)]
