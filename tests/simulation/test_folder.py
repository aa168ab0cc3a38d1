import os

import pytest

from endcap.core.errors import StoreError, UsageError
from endcap.simulation import folder
from endcap.simulation.files import remove_whole
from endcap.simulation.folder import begin, complete, held, is_there, write_json

TOLD = {"endcap": "0", "shares": (0.1, 0.2)}


def test_a_world_is_there_if_its_very_settings_are_noted(tmp_path):
    (tmp_path / "truth").mkdir()
    write_json(tmp_path / "truth" / "world.json", TOLD)
    assert is_there(tmp_path, TOLD)
    with pytest.raises(UsageError, match="another world in the folder"):
        is_there(tmp_path, {**TOLD, "endcap": "1"})


def test_a_folder_that_is_missing_or_empty_has_room_for_a_world(tmp_path):
    assert not is_there(tmp_path, TOLD)
    assert not is_there(tmp_path / "new" / "shop", TOLD)


@pytest.mark.parametrize("note", ["", "{", "\x00\xff", None], ids=["empty", "cut", "bytes", "folder"])
def test_a_note_that_cannot_be_read_is_of_something_else(tmp_path, note):
    path = tmp_path / "truth" / "world.json"
    path.parent.mkdir()
    if note is None:
        path.mkdir()
    else:
        path.write_bytes(note.encode("latin-1"))
    with pytest.raises(UsageError, match="something in the folder already"):
        is_there(tmp_path, TOLD)


def test_a_file_is_no_room_for_a_world(tmp_path):
    (tmp_path / "shop").write_text("mine")
    with pytest.raises(UsageError, match="a file of that name already"):
        is_there(tmp_path / "shop", TOLD)


def test_the_folder_that_one_is_in_is_refused(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UsageError, match="this one is the folder that you are in"):
        is_there(tmp_path / "here", TOLD)


def test_a_file_system_of_its_own_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(folder.Path, "is_mount", lambda _self: True)
    with pytest.raises(UsageError, match="this one is a file system of its own"):
        is_there(tmp_path, TOLD)


def test_two_runs_never_work_in_one_folder(tmp_path):
    part = tmp_path / ".shop.part"
    with held(part):
        (part / "export").mkdir()
        with pytest.raises(StoreError, match="another run is writing this shop"), held(part):
            pass
    with held(part):
        assert (part / "export").is_dir()


def test_who_may_not_have_the_folder_leaves_it_alone(tmp_path):
    """The holder has not written anything yet."""
    part = tmp_path / ".shop.part"
    with held(part):
        for _ in range(2):
            with pytest.raises(StoreError, match="another run"), held(part):
                pass
        assert part.is_dir()
        begin(part, TOLD, ("export",))
    assert (part / "export").is_dir()


def test_what_was_completed_while_one_waited_for_the_lock_is_not_mistaken_for_the_work(tmp_path, monkeypatch):
    part, flock, calls = tmp_path / ".shop.part", folder.fcntl.flock, []

    def complete_first(handle, how):
        calls.append(handle)
        if len(calls) == 1:
            part.rename(tmp_path / "shop")
        flock(handle, how)

    monkeypatch.setattr(folder.fcntl, "flock", complete_first)
    with held(part):
        assert part.is_dir()
        (part / "mine").touch()
    assert len(calls) == 2
    assert list((tmp_path / "shop").iterdir()) == []


def test_a_folder_in_which_nothing_was_done_is_gone_afterwards(tmp_path):
    with held(tmp_path / "new" / ".shop.part"):
        pass
    assert list((tmp_path / "new").iterdir()) == []


def test_a_file_in_the_way_of_the_work_is_told(tmp_path):
    (tmp_path / ".shop.part").write_text("mine")
    with pytest.raises(UsageError, match="cannot be made: File exists"), held(tmp_path / ".shop.part"):
        pass
    assert (tmp_path / ".shop.part").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_told(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="cannot be made: Permission denied"), held(tmp_path / ".shop.part"):
        pass


def test_what_a_run_of_the_same_settings_left_stays_but_for_what_it_was_removing(tmp_path):
    begin(tmp_path, TOLD, ("export", "kept"))
    (tmp_path / "kept" / "state").write_text("7")
    (tmp_path / ".kept.gone").mkdir()
    begin(tmp_path, TOLD, ("export", "kept"))
    assert (tmp_path / "kept" / "state").read_text() == "7"
    assert not (tmp_path / ".kept.gone").exists()


def test_a_stopped_run_of_other_settings_is_left_alone_and_told_with_what_differs(tmp_path):
    begin(tmp_path, TOLD, ("export",))
    other = {"endcap": "0", "shares": (0.1, 0.3), "world": {"seed": 8}}
    with pytest.raises(UsageError, match="a run of other settings was stopped where this one would work") as caught:
        begin(tmp_path, other, ("export",))
    assert caught.value.what.endswith("seed is null there, 8 asked; shares is [0.1, 0.2] there, [0.1, 0.3] asked")
    begin(tmp_path, TOLD, ("export",))


def test_what_somebody_else_put_there_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("precious")
    with pytest.raises(UsageError, match="something lies where this one would work: it is no simulated shop"):
        begin(tmp_path, TOLD, ("export",))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_run_that_was_stopped_before_it_had_noted_its_settings_does_not_stand_in_the_way(tmp_path):
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / ".world.json.part").write_text("{")
    begin(tmp_path, TOLD, ("export",))
    assert (tmp_path / "export").is_dir()


def test_what_is_complete_takes_its_place_without_what_served_the_work(tmp_path):
    part, out = tmp_path / ".shop.part", tmp_path / "shop"
    begin_in(part)
    out.mkdir()
    complete(part, out, without="kept")
    assert {path.name for path in out.iterdir()} == {"export", "truth"}
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


def begin_in(part):
    part.mkdir()
    begin(part, TOLD, ("export", "kept"))
    (part / "kept" / "state").write_text("7")


def test_a_removal_that_is_cut_short_leaves_no_half_of_what_it_removes(tmp_path, monkeypatch):
    (tmp_path / "kept" / "00007").mkdir(parents=True)

    def cut(path):
        (path / "00007").rmdir()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("endcap.simulation.files.shutil.rmtree", cut)
        with pytest.raises(KeyboardInterrupt):
            remove_whole(tmp_path / "kept")
    assert [path.name for path in tmp_path.iterdir()] == [".kept.gone"]
    remove_whole(tmp_path / "kept")
    assert list(tmp_path.iterdir()) == []
