import pytest

from endcap.core.tables import TABLES
from endcap.engines.adapters.duckdb import DuckDBEngine
from endcap.engines.contracts import check_contract
from endcap.testing.leaky_shop import clean_shop


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    made = DuckDBEngine(memory_limit="1GB", threads=1, spill=tmp_path_factory.mktemp("spill"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def clean(engine):
    return clean_shop(engine)


def test_the_clean_shop_keeps_its_contracts(engine, clean):
    for name, rows in clean.items():
        check_contract(engine, engine.read_arrow(rows), TABLES[name])
        assert len(rows)
