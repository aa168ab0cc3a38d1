import errno
import multiprocessing
import shutil

import pytest

from endcap.core.errors import Code, StoreError
from endcap.stores.local_files import check_room, disk_full, is_disk_full, locked, write_atomically


def _add_one(path):
    with locked(path.with_name("lock")):
        path.write_text(str(int(path.read_text()) + 1))


def test_a_file_is_replaced_whole(tmp_path):
    write_atomically(tmp_path / "new" / "file", b"1")
    write_atomically(tmp_path / "new" / "file", b"2")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]
    assert (tmp_path / "new" / "file").read_bytes() == b"2"


def test_one_process_at_a_time_holds_a_lock(tmp_path):
    (tmp_path / "count").write_text("0")
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(_add_one, [tmp_path / "count"] * 50)
    assert (tmp_path / "count").read_text() == "50"


def test_what_does_not_fit_is_refused_with_what_is_free(tmp_path):
    check_room(tmp_path / "not yet" / "there", 1, what="it would take")
    with pytest.raises(StoreError, match=r"it would take [\d,]+ MB, and [\d,]+ MB of the disk are free") as caught:
        check_room(tmp_path, shutil.disk_usage(tmp_path).free, what="it would take")
    assert caught.value.code == Code.DISK_FULL


def test_a_full_disk_is_known_from_every_librarys_words():
    python, foreign = (
        OSError(errno.ENOSPC, "No space left on device", "/a/b"),
        RuntimeError("io: No space left on device"),
    )
    assert is_disk_full(python)
    assert is_disk_full(foreign)
    assert is_disk_full(RuntimeError("(sqlite3.OperationalError) database or disk is full"))
    assert not is_disk_full(OSError(errno.EACCES, "denied"))
    assert (disk_full(python, where="x").where, disk_full(foreign, where="x").where) == ("/a/b", "x")
