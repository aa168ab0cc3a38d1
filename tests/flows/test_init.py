import pytest

from endcap.core.errors import SourceError
from endcap.flows.config import load_config
from endcap.flows.init import init_shop
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate


@pytest.fixture
def export(tmp_path):
    return simulate(make_world("small", days=2, visitors=20, items=12), tmp_path / "world", Popular()).export


def test_the_file_written_can_be_read_and_names_the_export(tmp_path, export):
    made = init_shop(tmp_path / "My Shop!", source=export)
    config = load_config(made.config, {})
    assert config.shop.project == "my-shop"
    assert config.events.source == str(export)
    assert config.events.default_currency == "USD"


def test_an_interrupted_init_can_be_run_again(tmp_path, export, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("endcap.flows.init.require", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            init_shop(tmp_path / "shop", source=export)
    key = (tmp_path / "shop" / "keys" / "user.key").read_text()
    assert init_shop(tmp_path / "shop", source=export).config.exists()
    assert (tmp_path / "shop" / "keys" / "user.key").read_text() == key


def test_a_missing_export_is_told(tmp_path):
    with pytest.raises(SourceError, match="no such folder"):
        init_shop(tmp_path / "shop", source=tmp_path / "nowhere")
