import json
import os
import subprocess
import sys
import time

import pytest

from endcap.core.errors import Code, ModelError
from endcap.core.sequences import Catalogue
from endcap.models.rank import _check_devices
from endcap.models.shared_work import SCORER, Work
from endcap.models.training.settings import TrainingSettings
from endcap.models.training.source import InMemory
from endcap.models.two_tower import TwoTower
from endcap.testing.worlds import no_sequences, planted_catalogue, planted_sequences


def start(folder, **more):
    numbers = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1", **more}
    command = [sys.executable, "-m", "endcap.models.rank", str(folder)]
    return subprocess.Popen(command, env=os.environ | numbers, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_ranks_without_a_device_each_are_told_how_many_there_are():
    _check_devices(2, 2)
    with pytest.raises(ModelError, match="3 ranks need a CUDA device each, and torch can use 2") as few:
        _check_devices(3, 2)
    assert (few.value.code, few.value.where) == (Code.CONFIG_INVALID, "$.models.training.ranks")


@pytest.mark.slow
def test_a_rank_tells_progress_in_lines_and_leaves_the_model(tmp_path):
    recipe, settings = TwoTower(epochs=1), TrainingSettings(device="cpu")
    Work(recipe, InMemory(planted_sequences()), planted_catalogue(), 1, settings, None).write(tmp_path)
    with start(tmp_path) as process:
        lines = [json.loads(line)["progress"] for line in process.stdout]
    assert process.returncode == 0
    assert lines[-1]["done"] == lines[-1]["total"] > 0
    assert (tmp_path / SCORER / "scorer.json").is_file()


@pytest.mark.slow
def test_why_a_rank_failed_is_told_as_plain_values(tmp_path):
    settings = TrainingSettings(device="cpu")
    Work(TwoTower(), InMemory(no_sequences()), Catalogue(("a",)), 1, settings, None).write(tmp_path)
    (tmp_path / "fit.json").write_text((tmp_path / "fit.json").read_text().replace("two_tower", "two_towers"))
    with start(tmp_path) as process:
        (line,) = process.stdout
    assert process.returncode == 1
    told = json.loads(line)
    assert (told["error"]["code"], 0 < told["at_s"] < time.monotonic()) == ("model-unknown", True)


@pytest.mark.slow
def test_a_rank_ends_with_its_input_and_takes_the_folder_along(tmp_path):
    recipe = TwoTower(epochs=1000)
    folder = tmp_path / "work"
    folder.mkdir()
    Work(recipe, InMemory(planted_sequences()), planted_catalogue(), 1, TrainingSettings(device="cpu"), None).write(
        folder
    )
    with start(folder) as process:
        assert "progress" in process.stdout.readline()
        process.stdin.close()
        try:
            assert process.wait(timeout=60) == 1
        finally:
            process.kill()
    assert not folder.exists()
