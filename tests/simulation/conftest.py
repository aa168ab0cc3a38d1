from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.simulation.shop import Simulated, simulate


@pytest.fixture(scope="session")
def shop(tmp_path_factory) -> Simulated:
    """A shop of two evenings and nights, big enough for rates."""
    return simulate(tmp_path_factory.mktemp("simulation") / "shop", days=3, users=400, items=60, seed=1)


@pytest.fixture(scope="session")
def read() -> Callable[[Path], list[dict[str, Any]]]:
    """Read all events of a folder, in the order of the files."""

    def read(folder: Path) -> list[dict[str, Any]]:
        return pa.concat_tables(pq.read_table(path) for path in sorted(folder.glob("*.parquet"))).to_pylist()

    return read


@pytest.fixture(scope="session")
def events(shop, read) -> list[dict[str, Any]]:
    return read(shop.out)
