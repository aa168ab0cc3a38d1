import json
import shutil

import pytest

from endcap.core.errors import DataError, UsageError
from endcap.flows.refresh import refresh
from endcap.flows.search import search_shop


@pytest.fixture
def trained_shop(own_shop, simulated, morning):
    """A shop of four days that trains a small two-tower model."""
    settings = own_shop / "endcap.toml"
    text = settings.read_text().replace('train = ["popular", "item_markov"]', 'train = ["popular", "two_tower"]')
    settings.write_text(text + "\n[models.two_tower]\nepochs = 1\n")
    shutil.copytree(simulated, own_shop / "export", dirs_exist_ok=True)
    refresh(own_shop, clock=morning, verbs=("ingest", "sessionize", "featurize"))
    return own_shop


def test_a_search_looks_at_days_before_the_test_alone_and_keeps_a_report(trained_shop, morning):
    told = []
    found = search_shop(trained_shop, "two_tower", budget_s=2, clock=morning, told=told.append)
    assert found.validation_day < found.test_day
    assert len(told) == len(found.found.trials) >= 2
    # Of some sessions a try takes a second or so: in any smaller unit a budget of minutes would end after two tries.
    assert all(trial.seconds < 600 for trial in found.found.trials)
    assert "(as they are)" in told[0]
    kept = json.loads((trained_shop / "reports" / "search-two_tower.json").read_text())
    assert kept["trials"][0]["settings"]["epochs"] == 1
    assert kept["cases"] == found.cases > 0
    text = (trained_shop / "reports" / "search-two_tower.txt").read_text()
    assert text == found.text() + "\n"
    assert "keep the settings" in text or "[models.two_tower]" in text


def test_a_model_that_is_not_trained_is_named_with_those_that_are(trained_shop, morning):
    with pytest.raises(UsageError, match="does not train 'two_towr'; did you mean"):
        search_shop(trained_shop, "two_towr", budget_s=2, clock=morning)


def test_too_few_days_are_told_with_their_number(trained_shop, morning):
    settings = trained_shop / "endcap.toml"
    settings.write_text(settings.read_text() + '\n[models.evaluation]\nsplit_day = "2026-01-02"\n')
    with pytest.raises(DataError, match="1 days with sequences lie before the first test day 2026-01-02"):
        search_shop(trained_shop, "two_tower", budget_s=2, clock=morning)
