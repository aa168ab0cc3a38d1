import pytest

from endcap.cli.main import main
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate


@pytest.fixture(scope="session")
def export(tmp_path_factory):
    """The export of a tiny simulated shop."""
    folder = tmp_path_factory.mktemp("simulated") / "shop"
    return simulate(make_world("small", days=4, visitors=80, items=40), folder, Popular()).export


@pytest.fixture(scope="session")
def tiny_shop(tmp_path_factory, export):
    """A shop that was refreshed once; tests look at it and do not change it."""
    shop = tmp_path_factory.mktemp("shop") / "tiny"
    assert main(["init", str(shop), "--source", str(export)]) == 0
    assert main(["refresh", str(shop)]) == 0
    return shop


@pytest.fixture
def fresh_shop(tmp_path, export):
    """A shop that was made and never refreshed."""
    shop = tmp_path / "fresh"
    assert main(["init", str(shop), "--source", str(export)]) == 0
    return shop
