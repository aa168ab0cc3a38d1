import shutil
from contextlib import ExitStack

import pyarrow as pa
import pytest

from endcap.core.clock import fixed_clock, system_clock
from endcap.core.manifest import read_manifest
from endcap.core.tables import TABLES
from endcap.engines.port import arrow_schema
from endcap.flows.config import parse_config
from endcap.flows.init import init_shop
from endcap.flows.ledger import Ledger, Part, Scope
from endcap.flows.refresh import refresh
from endcap.flows.shop import find_shop, make_key
from endcap.flows.wiring.batch import open_flow, open_ledger
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate
from endcap.stores.adapters.delta import DeltaTables
from endcap.stores.catalog import Catalog

FOURTH_DAY = "events_20260104.parquet"

HAND_MADE = """
[shop]
project = "hand"
[events]
source = "export"
max_bad_share = 0.5
[events.reader]
kind = "mapped"
files = "*.csv"
time = "at"
event_name = "event"
device_id = "user"
item_id = "item"
[models]
train = ["popular", "item_markov"]
"""

HAND_MADE_DAYS = {
    "2026-03-01": "10:00 u1 view_item A\n10:05 u1 view_item B",
    "2026-03-05": "10:00 u1 view_item C\n10:02 u1 add_to_cart C\n11:00 u2 view_item A\n11:01 u2 view_item B",
    "2026-03-09": "10:00 u2 view_item B\n10:01 u2 view_item C\n10:02 u2 dance A",
}


@pytest.fixture
def catalog(tmp_path):
    opened = Catalog(tmp_path / "endcap.db")
    yield opened
    opened.close()


@pytest.fixture
def ledger(catalog):
    return Ledger(catalog, Scope("local", "tiny", "local"))


@pytest.fixture
def tiny_config():
    return parse_config('[shop]\nproject = "tiny"\n[events]\nsource = "export"\n', where="endcap.toml", environment={})


@pytest.fixture(scope="session")
def morning():
    """The morning after the fourth day of the simulated shop."""
    return fixed_clock("2026-01-05T06:00:00")


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """The export of four days of a tiny simulated shop, in which items sell out and one leads to the next."""
    eager = {"p_list": 0.3, "p_follow": 0.7, "p_cart": 0.4, "p_pay": 0.9}
    world = make_world("small", days=4, visitors=60, items=40, changes_range=False, **eager)
    return simulate(world, tmp_path_factory.mktemp("simulated") / "shop", Popular()).export


@pytest.fixture(scope="session")
def fresh_shop(tmp_path_factory, simulated, morning):
    """A shop that has three of the four days and was never refreshed; its export lies in its folder, two models."""
    root = tmp_path_factory.mktemp("fresh") / "tiny"
    shutil.copytree(simulated, root / "export", ignore=shutil.ignore_patterns(FOURTH_DAY))
    init_shop(root, source=root / "export", clock=morning)
    text = (root / "endcap.toml").read_text()
    text = text.replace(str((root / "export").resolve()), "export")
    text = text.replace("\n[models]\n", '\n[models]\ntrain = ["popular", "item_markov"]\n')
    (root / "endcap.toml").write_text(text)
    return root


@pytest.fixture(scope="session")
def tiny_shop(tmp_path_factory, fresh_shop, morning):
    """That shop after its first refresh; tests look at it and do not change it."""
    root = tmp_path_factory.mktemp("refreshed") / "tiny"
    shutil.copytree(fresh_shop, root)
    refresh(root, clock=morning)
    return root


@pytest.fixture(scope="session")
def grown_shop(tmp_path_factory, tiny_shop, simulated, morning):
    """That shop after the fourth day came and it was refreshed once more; not to be changed either."""
    root = tmp_path_factory.mktemp("grown") / "tiny"
    shutil.copytree(tiny_shop, root)
    shutil.copy2(simulated / FOURTH_DAY, root / "export")
    refresh(root, clock=morning)
    return root


@pytest.fixture
def own_shop(tmp_path, tiny_shop):
    """A copy of the refreshed shop, to be changed."""
    return shutil.copytree(tiny_shop, tmp_path / "tiny")


@pytest.fixture
def flow_of():
    """Open the flow of a shop; closed at the end of the test."""
    with ExitStack() as stack:
        yield lambda root, through="", clock=system_clock: stack.enter_context(
            open_flow(find_shop(root), through=through, progress=lambda _report: None, clock=clock)
        )


@pytest.fixture
def versions(flow_of):
    """Table -> its version, of a shop."""

    def read(root):
        flow = flow_of(root)
        return {name: flow.tables.version(table) for name, table in TABLES.items()}

    return read


@pytest.fixture
def rows_of(flow_of):
    """The rows of a table of a shop, as plain values."""

    def read(root, table, days=None):
        flow = flow_of(root)
        return flow.engine.to_arrow(flow.read(table, days).order_by(list(table.key))).to_pylist()

    return read


@pytest.fixture
def manifest_of():
    """The manifest of a shop's bundle in force."""

    def read(root):
        shop = find_shop(root)
        return read_manifest(shop.bundles / shop.bundle_in_force())

    return read


@pytest.fixture(scope="session")
def write_day():
    """Write a day of a hand-made shop: lines such as `10:00 u1 view_item A`."""

    def write(root, day, lines, *, name=None):
        rows = [line.split() for line in lines.strip().splitlines()]
        told = [f"{day}T{at}:00,{event_name},{user},{item}" for at, user, event_name, item in rows]
        (root / "export" / f"{name or day}.csv").write_text("\n".join(["at,event,user,item", *told]) + "\n")

    return write


@pytest.fixture(scope="session")
def make_hand_made(write_day):
    """Make a shop of days that are written by hand; it is not refreshed."""

    def make(root, days):
        (root / "export").mkdir(parents=True)
        (root / "endcap.toml").write_text(HAND_MADE)
        make_key(root / "keys" / "user.key")
        for day, lines in days.items():
            write_day(root, day, lines)
        return root

    return make


@pytest.fixture(scope="session")
def hand(tmp_path_factory, make_hand_made):
    """The shop of HAND_MADE_DAYS, refreshed at noon of the tenth; tests look at it and do not change it."""
    root = make_hand_made(tmp_path_factory.mktemp("hand") / "hand", HAND_MADE_DAYS)
    refresh(root, clock=fixed_clock("2026-03-10T12:00:00"))
    return root


@pytest.fixture(scope="session")
def put_rows():
    """Write the rows of a table into a shop, as if a step had made them."""

    def put(root, table, rows):
        shop, days = find_shop(root), sorted({row.get("date_partition", "") for row in rows})
        found = pa.Table.from_pylist(rows, schema=arrow_schema(table))
        version = DeltaTables(shop.lake).replace(table, days, found.to_reader())
        with open_ledger(shop) as ledger:
            ledger.wrote(table.name, {day: Part("made up", len(rows), version) for day in days})

    return put
