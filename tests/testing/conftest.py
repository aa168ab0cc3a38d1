import shutil

import pytest

from endcap.core.clock import fixed_clock
from endcap.engines.adapters.duckdb import DuckDBEngine
from endcap.flows.init import init_shop
from endcap.flows.refresh import refresh
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate
from endcap.testing.leaky_shop import clean_shop


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """A very small simulated shop that was refreshed once; its export lies in its folder. Not to be changed."""
    root = tmp_path_factory.mktemp("whole") / "tiny"
    made = simulate(make_world("small", days=2, visitors=30, items=20), tmp_path_factory.mktemp("simulated"), Popular())
    shutil.copytree(made.export, root / "export")
    init_shop(root, source=root / "export")
    text = (root / "endcap.toml").read_text().replace(str((root / "export").resolve()), "export")
    text = text.replace("\n[models]\n", '\n[models]\ntrain = ["popular", "item_markov"]\n')
    (root / "endcap.toml").write_text(text)
    refresh(root, clock=fixed_clock("2026-01-03T06:00:00"))
    return root


@pytest.fixture
def copy(tmp_path, whole):
    """A copy of it, to be changed."""
    return shutil.copytree(whole, tmp_path / "tiny")


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    made = DuckDBEngine(memory_limit="1GB", threads=1, spill=tmp_path_factory.mktemp("spill"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def clean(engine):
    """The clean shop in which mistakes are planted."""
    return clean_shop(engine)
