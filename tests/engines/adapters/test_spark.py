"""Spark as the engine: what every engine does, and that a whole shop comes out as DuckDB makes it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from importlib.util import find_spec

import pyarrow as pa
import pytest

from endcap.core.contract import Column, Kind, Table
from endcap.core.tables import TABLES
from endcap.flows.init import init_shop
from endcap.simulation.faults.choice import parse_faults
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate
from endcap.stores.adapters.delta import DeltaTables
from endcap.stores.tables import Fence
from endcap.testing.compared import compare_tables
from endcap.testing.engines import ENGINE_CHECKS
from endcap.testing.spark import CHEAP_JAVA, connect_server, standalone

pytestmark = pytest.mark.slow

LISTED = Table(
    "listed",
    "a list",
    (Column("date_partition", Kind.STRING, "day"), Column("names", Kind.STRINGS, "names", nullable=True)),
    ("date_partition",),
)
DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")
WORDS = ["duplicates=0.1", "late=0.1", "out_of_order", "clock_skew=0.2", "missing_fields=0.1", "malformed=0.02"]
SETTINGS = """
[features]
negatives = [{ kind = "popularity" }, { kind = "uniform", num = 2 }, { kind = "unclicked" }]
[identities.bots]
most_events_a_minute = 30
[models]
train = ["popular", "item_markov"]
[engine]
"""
VERBS = ("ingest", "sessionize", "featurize")


@pytest.mark.parametrize("check", ENGINE_CHECKS, ids=lambda check: check.__name__)
def test_spark_is_an_engine(check, spark_engine, tmp_path):
    check(spark_engine, tmp_path)


def test_a_digest_tells_what_is_missing_from_what_is_empty(spark_engine):
    told = [None, [], [None], [""]]
    schema = pa.schema([("date_partition", pa.string()), ("names", pa.list_(pa.string()))])
    digests = set()
    for names in told:
        table = pa.Table.from_pylist([{"date_partition": "a", "names": names}], schema)
        rows = spark_engine.materialise(spark_engine.read_arrow(table))
        digests.add(spark_engine.partition_digests(rows, LISTED)["a"]["digest"])
    assert len(digests) == len(told)


def test_lists_beside_each_other_are_refused_where_spark_would_make_every_pair(spark_engine):
    rows = spark_engine.read_arrow(pa.table({"one": [[1, 2]], "other": [[3, 4]]}))
    with pytest.raises(AssertionError, match="zip them first"):
        spark_engine.to_arrow(rows.select(one=rows.one.unnest(), other=rows.other.unnest()))
    zipped = rows.select(both=rows.one.zip(rows.other).unnest())
    found = spark_engine.to_arrow(zipped.select(one=zipped.both.f1, other=zipped.both.f2).order_by("one"))
    assert found.to_pylist() == [{"one": 1, "other": 3}, {"one": 2, "other": 4}]


def started(shop, *, master=""):
    """The whole data part by the command line, in a process group of its own."""
    engine = {"ENDCAP__ENGINE__NAME": "spark", "ENDCAP__ENGINE__MASTER": master} if master else {}
    environment = os.environ | engine | {"ENDCAP__ENGINE__MEMORY_LIMIT": "768MB", "JAVA_TOOL_OPTIONS": CHEAP_JAVA}
    script = (
        f"import sys; from endcap.cli.main import main; sys.exit(max(main([verb, {str(shop)!r}]) for verb in {VERBS}))"
    )
    verbs = shop.parent / "verbs.py"  # a file: PySpark takes a script of `python -c` for a doctest, and ends it
    verbs.write_text(script)
    return subprocess.Popen(
        [sys.executable, verbs],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def run(shop, *, master=""):
    done = started(shop, master=master)
    out, err = done.communicate()
    assert done.returncode == 0, err[-3000:]
    return out


@pytest.fixture(scope="module")
def rough(tmp_path_factory):
    """A shop with every kind of dirt, bots, logins and negatives, as it was made, and as DuckDB has refreshed it."""
    folder = tmp_path_factory.mktemp("rough")
    eager = {"bot_share": 0.05, "account_share": 0.5, "p_list": 0.3, "p_follow": 0.7, "p_cart": 0.4, "p_pay": 0.9}
    world = make_world("small", days=len(DAYS), visitors=50, items=40, **eager)
    export = simulate(world, folder / "world", Popular(), faults=parse_faults(WORDS, days=DAYS)).export
    init_shop(folder / "fresh", source=export)
    settings = folder / "fresh" / "endcap.toml"
    text = settings.read_text()
    for section in ("features", "models", "engine"):
        text = text.replace(f"\n[{section}]\n", "\n")
    settings.write_text(text + SETTINGS)
    run(shutil.copytree(folder / "fresh", folder / "duckdb"))
    return folder


@pytest.mark.parametrize("where", ["local", "standalone", "connect"])
def test_spark_makes_the_same_rows_as_duckdb(rough, where, tmp_path):
    if where == "connect" and find_spec("grpc") is None and not os.environ.get("CI"):
        pytest.skip("Spark Connect is not installed: pip install 'endcap[spark]'")
    shop = shutil.copytree(rough / "fresh", tmp_path / "spark")
    places = {
        "local": lambda: nullcontext("local[2]"),
        "standalone": lambda: standalone(tmp_path / "cluster", workers=2),
        "connect": lambda: connect_server(tmp_path / "server"),
    }
    with places[where]() as place:
        master = getattr(place, "url", place)
        run(shop, master=master)
        compared = compare_tables(rough / "duckdb", shop, scratch=tmp_path)
        assert compared.columns_that_differ == {}
        assert compared.tables >= 15
        if where == "local":
            assert run(shop, master=master).count("nothing to do") == len(VERBS)
    assert list((shop / "scratch").rglob("*.parquet")) == []


def test_a_killed_run_on_spark_is_completed_by_the_next_one(rough, tmp_path):
    shop = shutil.copytree(rough / "fresh", tmp_path / "spark")
    first = started(shop, master="local[2]")
    while first.poll() is None and not list((shop / "lake").glob("items/attempt-*")):
        time.sleep(0.01)
    assert first.poll() is None, "the run ended before its first file of items was seen"
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert first.returncode == -signal.SIGKILL
    run(shop, master="local[2]")
    compared = compare_tables(rough / "duckdb", shop, scratch=tmp_path)
    assert compared.columns_that_differ == {}
    store = DeltaTables(shop / "lake")
    left = {table.name: store.clean(table, fence=Fence("nobody", 1)) for table in TABLES.values()}
    assert {name: paths for name, paths in left.items() if paths} == {}
