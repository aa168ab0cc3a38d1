import pytest

from endcap.engines.adapters.duckdb import DuckDBEngine
from endcap.testing.leaky_shop import clean_shop
from endcap.testing.shop_mistakes import MISTAKES, MORE_MISTAKES, broken_shop


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    made = DuckDBEngine(memory_limit="1GB", threads=1, spill=tmp_path_factory.mktemp("spill"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def clean(engine):
    return clean_shop(engine)


@pytest.mark.parametrize("name", MISTAKES | MORE_MISTAKES)
def test_each_mistake_changes_the_tables_that_it_names(name, engine, clean):
    mistake = (MISTAKES | MORE_MISTAKES)[name]
    if mistake.kept and len(mistake.kept) > 1:
        broken = broken_shop(engine, clean, name)
        assert [table for table, rows in broken.items() if not rows.equals(clean[table])] == [mistake.table]
