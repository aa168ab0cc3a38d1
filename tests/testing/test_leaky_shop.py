import pytest

from endcap.core.tables import TABLES
from endcap.engines.adapters.duckdb import DuckDBEngine
from endcap.engines.contracts import check_contract
from endcap.testing.leaky_shop import MISTAKES, MORE_MISTAKES, broken_shop, clean_shop


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


@pytest.mark.parametrize("name", MISTAKES | MORE_MISTAKES)
def test_each_mistake_changes_the_tables_that_it_names(name, engine, clean):
    mistake = (MISTAKES | MORE_MISTAKES)[name]
    if mistake.kept and len(mistake.kept) > 1:
        broken = broken_shop(engine, clean, name)
        assert [table for table, rows in broken.items() if not rows.equals(clean[table])] == [mistake.table]
