import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from endcap.simulation.catalogue import Catalogue, make_catalogue
from endcap.simulation.journeys import Day
from endcap.simulation.policies import Popular
from endcap.simulation.settings import World, make_world
from endcap.simulation.shop import Simulated, simulate
from endcap.simulation.stock import Shelves, first_shelves, open_day
from endcap.simulation.tastes import Laws, Tastes, make_laws, make_tastes


@pytest.fixture(scope="session")
def shop(tmp_path_factory) -> Simulated:
    """A shop of three days, big enough for rates."""
    world = make_world("small", days=3, visitors=800, items=60, seed=1)
    return simulate(world, tmp_path_factory.mktemp("simulation") / "shop", Popular())


@pytest.fixture(scope="session")
def lively() -> World:
    """Twenty days, so that states are kept twice; three blocks; everything that has a memory."""
    return make_world("small", days=20, visitors=240, items=40, block=80, p_cart=0.4, p_return=0.5)


@pytest.fixture(scope="session")
def made(tmp_path_factory, lively) -> Simulated:
    return simulate(lively, tmp_path_factory.mktemp("lively") / "shop", Popular())


@pytest.fixture(scope="session")
def bytes_of() -> Callable[[Path], dict[str, str]]:
    """Give all files of a folder with hashes of what is in them."""

    def bytes_of(folder: Path) -> dict[str, str]:
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    return bytes_of


@pytest.fixture(scope="session")
def read() -> Callable[[Path], list[dict[str, Any]]]:
    """Read all events of a folder, in the order of the files."""

    def read(folder: Path) -> list[dict[str, Any]]:
        return pa.concat_tables(pq.read_table(path) for path in sorted(folder.glob("*.parquet"))).to_pylist()

    return read


@pytest.fixture(scope="session")
def events(shop, read) -> list[dict[str, Any]]:
    return read(shop.export)


@dataclass(frozen=True)
class Morning:
    """A world in memory, on its first morning."""

    world: World
    goods: Catalogue
    tastes: Tastes
    laws: Laws
    shelves: Shelves
    day: Day


@pytest.fixture(scope="session")
def morning_of() -> Callable[[World], Morning]:
    """Make a world in memory."""

    def morning_of(world: World) -> Morning:
        goods = make_catalogue(world)
        tastes = make_tastes(world, goods)
        laws = make_laws(world, goods, tastes, 0)
        shelves = first_shelves(world, tastes, laws)
        return Morning(world, goods, tastes, laws, shelves, open_day(world, laws, shelves, 0))

    return morning_of


@pytest.fixture(scope="session")
def fits() -> Callable[..., bool]:
    """Say whether counts follow a law: chi-square below its 99.9 % quantile (Wilson and Hilferty's approximation)."""

    def fits(rows: Iterable[tuple[NDArray[Any], NDArray[Any]]]) -> bool:
        """Each row is an experiment of its own: counts, and the probabilities of its cells; rare cells are pooled."""
        total, freedom = 0.0, 0
        for counts, p in rows:
            expected = counts.sum() * p
            assert counts[expected == 0].sum() == 0
            rare = expected < 5
            seen = np.append(counts[~rare], counts[rare].sum())
            told = np.append(expected[~rare], expected[rare].sum())
            seen, told = seen[told > 0], told[told > 0]
            total += float(((seen - told) ** 2 / told).sum())
            freedom += len(told) - 1
        assert freedom > 0
        z, part = NormalDist().inv_cdf(0.999), 2 / (9 * freedom)
        return total < freedom * (1 - part + z * part**0.5) ** 3

    return fits
