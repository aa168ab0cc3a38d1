import shutil

import pytest

from endcap.flows.folder import bring_folder, is_whole, keep_folder


def save(text):
    return lambda folder: (folder / "numbers").write_text(text)


def test_a_folder_is_named_by_what_is_in_it(tmp_path):
    one = keep_folder(tmp_path / "models", tmp_path / "beside", save("1"))
    assert (tmp_path / "models" / one / "numbers").read_text() == "1"
    assert is_whole(tmp_path / "models" / one)
    assert keep_folder(tmp_path / "models", tmp_path / "beside", save("1")) == one
    assert keep_folder(tmp_path / "models", tmp_path / "beside", save("2")) != one
    assert not (tmp_path / "beside").exists()


def test_the_name_of_a_file_counts(tmp_path):
    named = [
        keep_folder(tmp_path / "models", tmp_path / "beside", lambda folder, name=name: (folder / name).touch())
        for name in ("a", "b")
    ]
    assert named[0] != named[1]


@pytest.mark.parametrize("damage", ["cut", "gone", "more"])
def test_a_damaged_folder_is_replaced(tmp_path, damage):
    version = keep_folder(tmp_path / "models", tmp_path / "beside", save("whole"))
    file = tmp_path / "models" / version / "numbers"
    if damage == "gone":
        file.unlink()
    else:
        file.write_text("who" if damage == "cut" else "whole and more")
    assert keep_folder(tmp_path / "models", tmp_path / "beside", save("whole")) == version
    assert file.read_text() == "whole"


def test_what_a_dead_run_left_beside_is_not_mixed_in(tmp_path):
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "torn").touch()
    version = keep_folder(tmp_path / "models", tmp_path / "beside", save("1"))
    assert [path.name for path in (tmp_path / "models" / version).iterdir()] == ["numbers"]


def test_a_folder_is_brought_from_the_first_place_that_has_it_whole(tmp_path):
    version = keep_folder(tmp_path / "models", tmp_path / "beside", lambda folder: (folder / "a").write_text("1"))
    whole, target = tmp_path / "models" / version, tmp_path / "other" / version
    damaged = shutil.copytree(whole, tmp_path / "bundle")
    (damaged / "a").write_text("2")
    assert not bring_folder([tmp_path / "none", damaged], target)
    assert bring_folder([tmp_path / "none", damaged, whole], target)
    assert is_whole(target)
    assert bring_folder([], target)  # it is there
