import shutil
from types import SimpleNamespace

import pytest

from endcap.core.errors import Code, ModelError
from endcap.models.training.checkpoints import Checkpoints
from endcap.models.training.ranks import Ranks


def checkpoints(folder, *, keep=2, of="one fit"):
    return Checkpoints(folder, keep, of, Ranks())


def test_the_state_at_the_latest_cursor_comes_back(line, tmp_path):
    kept, task = checkpoints(tmp_path), line()
    optimizer = task.optimizer()
    kept.save(4, task.module, optimizer)
    task.module.table.weight_ND += 1
    wanted = task.digest()
    kept.save(8, task.module, optimizer)
    other = line()
    assert other.digest() != wanted
    assert kept.load(other.module, other.optimizer()) == 8
    assert other.digest() == wanted


def test_only_the_latest_stay(line, tmp_path):
    kept, task = checkpoints(tmp_path), line()
    for cursor in (4, 8, 100_000):
        kept.save(cursor, task.module, task.optimizer())
    assert [int(each.name) for each in sorted(tmp_path.iterdir())] == [8, 100_000]


def test_those_of_another_fit_are_not_loaded_and_give_way(line, tmp_path):
    task = line()
    checkpoints(tmp_path, of="another").save(400, task.module, task.optimizer())
    kept = checkpoints(tmp_path)
    assert kept.load(task.module, task.optimizer()) == 0
    kept.save(4, task.module, task.optimizer())
    assert [int(each.name) for each in tmp_path.iterdir()] == [4]


def test_one_that_was_not_finished_is_none(line, tmp_path):
    kept, task = checkpoints(tmp_path), line()
    kept.save(4, task.module, task.optimizer())
    torn = tmp_path / ".000000000000008"
    shutil.copytree(next(tmp_path.glob("[0-9]*")), torn)
    assert kept.last() == 4
    kept.save(12, task.module, task.optimizer())
    assert not torn.exists()


def test_a_full_disk_is_told_before_anything_is_written(line, tmp_path, monkeypatch):
    kept, task = checkpoints(tmp_path), line()
    kept.save(4, task.module, task.optimizer())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(ModelError, match="100 are free") as full:
        kept.save(8, task.module, task.optimizer())
    assert full.value.code == Code.DISK_FULL
    assert kept.last() == 4


def test_one_whose_name_cannot_be_read_is_none(line, tmp_path):
    kept, task = checkpoints(tmp_path), line()
    kept.save(4, task.module, task.optimizer())
    kept.save(8, task.module, task.optimizer())
    (tmp_path / "000000000000008" / "about.json").write_text("")
    assert kept.last() == 4


def test_one_that_is_damaged_is_an_error_that_names_its_folder(line, tmp_path):
    kept, task = checkpoints(tmp_path), line()
    kept.save(4, task.module, task.optimizer())
    for file in tmp_path.rglob("*.distcp"):
        file.write_bytes(b"")
    with pytest.raises(ModelError, match="checkpoint after example 4 cannot be read") as damaged:
        kept.load(task.module, task.optimizer())
    assert "remove that folder" in str(damaged.value)
