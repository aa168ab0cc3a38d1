import pytest

from endcap.testing.engines import ENGINE_CHECKS


@pytest.mark.parametrize("check", ENGINE_CHECKS, ids=lambda check: check.__name__)
def test_duckdb_is_an_engine(check, engine, tmp_path):
    check(engine, tmp_path)
