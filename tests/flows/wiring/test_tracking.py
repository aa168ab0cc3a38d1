from importlib.machinery import ModuleSpec

import pytest

from endcap.core.errors import Code, ConfigError
from endcap.flows.config import parse_config
from endcap.flows.shop import Shop
from endcap.flows.wiring import tracking

TOML = '[shop]\nproject = "tiny"\n[events]\nsource = "export"\n[tracking]\nmlflow = '


def shop_of(root, line):
    return Shop(root, parse_config(TOML + line, where="endcap.toml", environment={}))


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(tracking, "find_spec", lambda name: ModuleSpec(name, None, origin=f"{name}/__init__.py"))


@pytest.mark.usefixtures("installed")
def test_a_file_lies_below_the_shop_and_the_experiment_is_named_after_it(tmp_path):
    assert tracking.open_tracking(shop_of(tmp_path, '"sqlite:///runs.db"')).where == (
        f"sqlite:///{tmp_path / 'runs.db'}, experiment endcap/tiny"
    )
    absolute = shop_of(tmp_path, '"sqlite:////far/runs.db"\nexperiment = "mine"')
    assert tracking.open_tracking(absolute).where == "sqlite:////far/runs.db, experiment mine"
    server = shop_of(tmp_path, '"https://mlflow.internal/"')
    assert tracking.open_tracking(server).where == "https://mlflow.internal, experiment endcap/tiny"


@pytest.mark.parametrize("found", [None, ModuleSpec("mlflow", None)])  # the latter: a folder of that name
def test_what_is_not_installed_is_told_with_what_to_type(tmp_path, monkeypatch, found):
    monkeypatch.setattr(tracking, "find_spec", lambda _name: found)
    with pytest.raises(ConfigError) as caught:
        tracking.open_tracking(shop_of(tmp_path, '"https://mlflow.internal"'))
    assert caught.value.code == Code.TRACKING_MISSING
    assert "pip install 'endcap[mlflow]'" in caught.value.fix
