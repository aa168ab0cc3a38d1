import pyarrow.parquet as pq
import pytest

from endcap.core.errors import Code, DataError, SourceError
from endcap.features.leakage_frame import FrameRoles
from endcap.flows.init import init_shop
from endcap.flows.leakage import leakage_of_file, leakage_of_shop
from endcap.flows.refresh import refresh
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate
from endcap.testing.leaky_frame import ROLES, clean_frame

DATA_STEPS = ("ingest", "sessionize", "featurize")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("leakage")
    export = simulate(make_world("small", days=3, visitors=60, items=30), folder / "world", Popular()).export
    init_shop(folder / "shop", source=export)
    return folder / "shop"


def test_before_the_data_steps_there_is_nothing_to_look_at(shop):
    with pytest.raises(DataError, match="nothing to look at") as caught:
        leakage_of_shop(shop)
    assert caught.value.code is Code.DAY_NOT_READY


def test_a_simulated_shop_that_was_refreshed_has_no_finding_and_is_not_changed(shop):
    refresh(shop, verbs=DATA_STEPS)
    before = sorted(path for path in (shop / "lake").rglob("*"))
    report = leakage_of_shop(shop)
    assert report.findings == ()
    assert report.num_rows > 100
    assert not any("behind" in note for note in report.notes)
    assert sorted(path for path in (shop / "lake").rglob("*")) == before


def test_steps_that_are_behind_are_named(shop, monkeypatch):
    monkeypatch.setenv("ENDCAP__FEATURES__MAX_SEQUENCE", "20")
    (note,) = [note for note in leakage_of_shop(shop).notes if "behind" in note]
    assert "examples (" in note
    assert "sessions" not in note.replace("endcap", "")


def test_a_file_is_looked_through(tmp_path):
    pq.write_table(clean_frame(), tmp_path / "frame.parquet")
    assert leakage_of_file(tmp_path / "frame.parquet", ROLES).findings == ()
    with pytest.raises(SourceError):
        leakage_of_file(tmp_path / "other.parquet", FrameRoles("bought"))
