"""A tiny shop that serves: eight items, a few sessions, real models, a bundle in force.

| item | sold out | sessions in which it stands |
| A..H | F        | A B, A B, A B D, A F, A F, B D, C, G H |

By popularity: A 5, B 4, D 2, F 2, C 1, G 1, H 1, E 0.
"""

import hashlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from litestar.testing import TestClient

from endcap.core.clock import fixed_clock
from endcap.core.history import History
from endcap.core.manifest import FORMAT, BundleManifest, ModelEntry
from endcap.core.sequences import EVENT_KINDS, Catalogue, Queries, Sequences
from endcap.features.device_owners import write_owners
from endcap.features.online import write_histories
from endcap.index.flat import FlatIndex
from endcap.models.item_markov import ItemMarkov
from endcap.models.popular import Popular
from endcap.models.scorers import load_scorer
from endcap.models.storage import kind_of, load_arrays, save_arrays
from endcap.serving.app import create_app
from endcap.serving.bundle import open_bundle
from endcap.serving.config import ServingConfig
from endcap.serving.process import free_port, server_command
from endcap.stores.adapters.lmdb import LmdbKeyValues

ITEMS = list("ABCDEFGH")
SESSIONS = ["AB", "AB", "ABD", "AF", "AF", "BD", "C", "GH"]
KEY = bytes(range(32))
VIEW = EVENT_KINDS.index("view_item")
NOW = "2026-09-20T12:00:00"


class NearScorer:
    """Items on a line; a query is its last item's place. Two items are near when their letters are."""

    kind = "near"

    def __init__(self, vectors):
        self.item_vectors_ND = vectors

    def query_vectors_BD(self, queries):
        items_B1, filled_B1 = queries.last(1)
        return np.where(filled_B1, self.item_vectors_ND[items_B1[:, 0]], 0).astype(np.float32)

    def score(self, queries):
        return self.query_vectors_BD(queries) @ self.item_vectors_ND.T

    def save(self, folder):
        save_arrays(folder, kind=self.kind, settings={}, arrays={"vectors": self.item_vectors_ND})

    @classmethod
    def load(cls, folder):
        return cls(load_arrays(folder, kind=cls.kind)[1]["vectors"])


def load_any(folder):
    return NearScorer.load(folder) if kind_of(folder) == "near" else load_scorer(folder)


def world(sessions):
    lengths = [len(each) for each in sessions]
    flat = np.array([ITEMS.index(each) for each in itertools.chain(*sessions)], np.int32)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Sequences(starts=starts, items=flat, at_us=np.arange(len(flat)), users=np.arange(len(sessions)))


def near_scorer():
    angles = np.arange(len(ITEMS)) * 0.15
    return NearScorer(np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32))


def write_items(path, items):
    told = pa.table(
        {
            "item_id": items,
            "title": [f"Item {item}" for item in items],
            "category": ["Things"] * len(items),
            "brand": pa.nulls(len(items), pa.string()),
            "price_minor": pa.array([None if item == "G" else 1000 + ord(item) for item in items], pa.int64()),
            "currency": [None if item == "G" else "USD" for item in items],
            "availability": ["out_of_stock" if item == "F" else "in_stock" for item in items],
            "link": pa.nulls(len(items), pa.string()),
            "image_link": pa.nulls(len(items), pa.string()),
        }
    )
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, told.schema) as writer:
        writer.write_table(told)


def write_bundle(
    bundles,
    *,
    sessions=SESSIONS,
    histories=None,
    through="2026-09-19",
    near=True,
    created_at_us=0,
    visitors=None,
    owners=None,
    instants=None,
    tells_instants=True,
):
    """Write a bundle as flows do, or as an earlier version did, which kept no instants; return its id.

    What is in a history was viewed before any instant that a test names, if `instants` do not tell otherwise.
    """
    beside = bundles / "beside"
    sequences, catalogue = world(sessions), Catalogue(tuple(ITEMS))
    models = {
        "item_markov": ItemMarkov(max_gap=1, decay=0.5, penalty=0, rows_sum=0).fit(sequences, catalogue, seed=1),
        "popular": Popular().fit(sequences, catalogue, seed=1),
        **({"two_tower": near_scorer()} if near else {}),
    }
    for name, model in models.items():
        (beside / "models" / name).mkdir(parents=True)
        model.save(beside / "models" / name)
    if near:
        (beside / "index" / "two_tower").mkdir(parents=True)
        FlatIndex.build(models["two_tower"].item_vectors_ND).save(beside / "index" / "two_tower")
        (beside / "index" / "two_tower" / "report.json").write_text(json.dumps({"recall_min": 1.0}))
    write_items(beside / "items.arrow", ITEMS)
    histories = histories or {}
    (beside / "histories").mkdir()
    before = {key: range(-len(histories[key]), 0) for key in histories} | (instants or {})
    told = [
        (ITEMS.index(item), VIEW, at_us)
        for key in sorted(histories)
        for item, at_us in zip(histories[key], before[key], strict=True)
    ]
    starts = np.concatenate([[0], np.cumsum([len(histories[key]) for key in sorted(histories)])])
    write_histories(beside / "histories", sorted(histories), starts.astype(np.int64), History.of(told))
    if not tells_instants:
        for name in ("events", "at_us"):
            (beside / "histories" / f"{name}.npy").unlink()
    if visitors is not None:
        (beside / "visitors").mkdir()
        visitors.save(beside / "visitors")
    if owners is not None:
        (beside / "owners").mkdir()
        write_owners(beside / "owners", owners)
    unnamed = BundleManifest(
        bundle_id="",
        format=FORMAT,
        organisation="local",
        project="tiny",
        region="local",
        through=through,
        num_items=len(ITEMS),
        models=[ModelEntry(name, model.kind, "0" * 16, name == "two_tower") for name, model in sorted(models.items())],
        default_model="item_markov",
        snapshots=[],
        config_digest="",
        code_version="0.1.0",
        metrics={},
        seed=1,
        files={
            path.relative_to(beside).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(beside.rglob("*"))
            if path.is_file()
        },
    )
    digest = unnamed.digest()
    manifest = msgspec.structs.replace(
        unnamed, bundle_id=f"{through}-{digest[:12]}", content_digest=digest, created_at_us=created_at_us
    )
    (beside / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    beside.rename(bundles / manifest.bundle_id)
    return manifest.bundle_id


def put_in_force(bundles, bundle_id):
    beside = bundles / ".current"
    beside.write_text(bundle_id + "\n")
    beside.replace(bundles / "current")


class TinyShop:
    """The folders of a shop, and what a server of it is made of."""

    def __init__(self, root):
        self.root = root
        self.bundles = root / "bundles"
        self.landing = root / "landing"
        self.bundles.mkdir(parents=True)
        self.key = KEY
        self.clock = fixed_clock(NOW)
        self.load_scorer = load_any

    def write(self, **how):
        return write_bundle(self.bundles, **how)

    def bundle(self, **how):
        bundle_id = self.write(**how)
        put_in_force(self.bundles, bundle_id)
        return bundle_id

    def put_in_force(self, bundle_id):
        put_in_force(self.bundles, bundle_id)

    def opened(self, **how):
        return open_bundle(self.bundles / self.bundle(**how), load_any)

    def kv(self):
        return LmdbKeyValues(self.root / "kv", size_mb=8)

    def ids(self):
        numbers = itertools.count(1)
        return lambda: f"{next(numbers):032x}"

    def app(self, *, door=lambda *_: None, kv=None, **settings):
        return create_app(
            bundles=self.bundles,
            landing=self.landing,
            kv=kv or self.kv(),
            config=ServingConfig(**settings),
            user_key=KEY,
            clock=self.clock,
            new_id=self.ids(),
            load_scorer=load_any,
            door=door,
            organisation="local",
            project="tiny",
            default_currency="USD",
        )

    def landed(self, kind):
        paths = sorted([*(self.landing / kind).glob("*.jsonl"), *(self.landing / kind).glob("*.jsonl.open")])
        return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


@pytest.fixture
def make_shop(tmp_path):
    numbers = itertools.count()
    return lambda: TinyShop(tmp_path / f"shop{next(numbers)}")


@pytest.fixture
def shop(make_shop):
    return make_shop()


@pytest.fixture
def bundle(shop):
    return shop.opened()


@pytest.fixture
def client(shop):
    shop.bundle()
    with TestClient(shop.app()) as opened:
        yield opened


@pytest.fixture
def viewed():
    """A history of views, by letters, a microsecond apart."""
    return lambda letters: History.of([(ITEMS.index(letter), VIEW, at_us) for at_us, letter in enumerate(letters)])


@pytest.fixture
def letters():
    """Letters of item numbers."""
    return lambda found: "".join(ITEMS[int(number)] for number in found)


@pytest.fixture
def queries():
    return lambda *histories: Queries.of([[ITEMS.index(each) for each in history] for history in histories])


@pytest.fixture
def here():
    return Path(__file__).parent


TARGET = """
import itertools, os, sys
from pathlib import Path
from litestar import get
from endcap.core.clock import system_clock
from endcap.models.scorers import load_scorer
from endcap.serving.app import create_app
from endcap.serving.config import ServingConfig
from endcap.stores.adapters.lmdb import LmdbKeyValues

def create():
    root = Path(os.environ["TINY_SHOP"])
    ids = itertools.count()
    app = create_app(
        bundles=root / "bundles", landing=root / "landing", kv=LmdbKeyValues(root / "kv", size_mb=8),
        config=ServingConfig(), user_key=bytes(range(32)), clock=system_clock,
        new_id=lambda: f"{os.getpid():016x}{next(ids):016x}", load_scorer=load_scorer, door=lambda *_: None,
        organisation="local", project="tiny", default_currency="USD",
    )
    @get("/loaded")
    async def loaded() -> dict:
        return {"modules": sorted(name for name in sys.modules if "." not in name), "process": os.getpid()}
    app.register(loaded)
    return app
"""


class RealServer:
    """Granian over real HTTP, as its own process."""

    def __init__(self, shop, workers):
        (shop.root / "tiny_target.py").write_text(TARGET)
        environment = os.environ | {
            "TINY_SHOP": str(shop.root),
            "PYTHONPATH": f"{shop.root}:{os.pathsep.join(sys.path)}",
        }
        self.port = free_port("127.0.0.1", 0)
        command = server_command("tiny_target:create", host="127.0.0.1", port=self.port, workers=workers)
        self.errors = (shop.root / "server.log").open("ab")
        self.process = subprocess.Popen(command, env=environment, stderr=self.errors, stdout=self.errors)

    def read(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data)
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - our own server
            return answer.read()

    def ask(self, path, body=None):
        return json.loads(self.read(path, body))

    def wait(self):
        """Ask until it is ready; a server that does not come up fails the test by its end."""
        until = time.monotonic() + 60
        while self.process.poll() is None and time.monotonic() < until:
            try:
                return self.ask("/health/ready")
            except OSError:
                time.sleep(0.05)
        raise AssertionError(Path(self.errors.name).read_text())

    def end(self, signal_number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        self.process.wait(30)
        self.errors.close()
        return self.process.returncode


@pytest.fixture
def serve(request):
    def start(shop, *, workers=1):
        server = RealServer(shop, workers)
        request.addfinalizer(lambda: server.end(signal.SIGKILL))
        server.wait()
        return server

    return start
