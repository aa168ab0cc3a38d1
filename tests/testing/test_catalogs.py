import pytest

from endcap.stores.catalog import Catalog
from endcap.testing.catalogs import CHECKS
from endcap.testing.postgres import PASSWORD


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_sqlite_passes_the_suite(check, tmp_path):
    check(lambda: Catalog(tmp_path / "endcap.db"))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_postgresql_passes_the_suite(check, postgres_server):
    schema = f"endcap_local${check.__name__}"
    check(lambda: Catalog(postgres_server, password=PASSWORD, schema=schema))
