import pytest

from endcap.engines.adapters.duckdb import DuckDBEngine


@pytest.fixture
def engine(tmp_path):
    made = DuckDBEngine(memory_limit="1GB", threads=1, spill=tmp_path / "spill")
    yield made
    made.close()
