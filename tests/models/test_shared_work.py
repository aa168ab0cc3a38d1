import json
import shutil
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from endcap.core.errors import Code, ModelError, StoreError
from endcap.core.sequences import Catalogue
from endcap.models.sequence import SequenceModel
from endcap.models.shared_work import Work
from endcap.models.training.files import Files
from endcap.models.training.settings import TrainingSettings
from endcap.models.training.source import InMemory, Part
from endcap.models.two_tower import TwoTower
from endcap.testing.worlds import no_sequences, planted_sequences

CATALOGUE = Catalogue(("a", "b"), titles=("ä", ""), prices=(np.int64(3), -1))


def work(source, *, recipe=None, checkpoints=None):
    settings = TrainingSettings(ranks=3, validation_share=0.25)
    return Work(recipe or SequenceModel(learning_rate=0.1 + 0.2), source, CATALOGUE, 2**60, settings, checkpoints)


@pytest.mark.parametrize("sequences", [planted_sequences(), no_sequences()])
def test_arrays_come_back_as_they_were_and_may_be_written_to(sequences, tmp_path):
    wanted = work(InMemory(sequences), checkpoints=tmp_path / "kept")
    wanted.write(tmp_path)
    found = Work.read(tmp_path)
    assert (found.recipe, found.catalogue, found.seed) == (wanted.recipe, wanted.catalogue, wanted.seed)
    assert (found.settings, found.checkpoints) == (wanted.settings, tmp_path / "kept")
    for name, array in vars(sequences).items():
        again = getattr(found.source.sequences, name)
        assert (again is None) == (array is None)
        if array is not None:
            assert (again.dtype, again.tobytes()) == (array.dtype, array.tobytes())
    found.source.sequences.items[:1] = 7
    assert Work.read(tmp_path).source.sequences.items.tobytes() == sequences.items.tobytes()


def test_files_go_by_their_names(tmp_path):
    source = Files((("a.parquet", 0), ("a.parquet", 1)), [3, 4], 5, pa.array(["a", "b"], pa.string()))
    work(source).write(tmp_path)
    assert Work.read(tmp_path).source == source
    assert list(tmp_path.glob("*.npy")) == []


def test_what_a_name_does_not_make_is_refused(tmp_path):
    class Taller(TwoTower):
        pass

    with pytest.raises(ModelError, match="other processes cannot fit it") as refused:
        work(InMemory(no_sequences()), recipe=Taller()).write(tmp_path)
    assert refused.value.code == Code.MODEL_UNKNOWN


def test_a_source_that_other_processes_would_not_find_is_refused(tmp_path):
    whole = InMemory(no_sequences())
    with pytest.raises(ModelError, match="sequences of a Part cannot be handed to other processes") as refused:
        work(Part(whole, (), ())).write(tmp_path)
    assert refused.value.code == Code.CONFIG_INVALID
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_before_arrays_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(StoreError, match="what ranks learn from takes") as full:
        work(InMemory(planted_sequences())).write(tmp_path)
    assert full.value.code == Code.DISK_FULL
    assert list(tmp_path.glob("*.npy")) == []


def test_it_is_told_in_plain_json(tmp_path):
    work(InMemory(no_sequences())).write(tmp_path)
    told = json.loads((tmp_path / "fit.json").read_bytes())
    assert (told["kind"], told["checkpoints"], told["settings"]["ranks"]) == ("sequence", None, 3)
