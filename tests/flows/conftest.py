import pytest

from endcap.flows.config import parse_config
from endcap.flows.ledger import Ledger, Scope
from endcap.stores.catalog import Catalog


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
