import signal
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.core.errors import StoreError
from endcap.serving.segments import SegmentWriter, adopt


class Ticking:
    at_us = 1_000_000

    def __call__(self):
        return self.at_us


@pytest.fixture
def clock():
    return Ticking()


@pytest.fixture
def writer(tmp_path, clock):
    return SegmentWriter(tmp_path / "log", clock=clock, max_bytes=10, max_age_us=5)


def names(folder):
    return sorted(path.name.split("-")[0] + path.name[path.name.index(".") :] for path in folder.iterdir())


def test_a_segment_is_named_as_whole_when_it_is_large_enough(tmp_path, writer):
    writer.append(b"12345\n", sync=True)
    assert names(tmp_path / "log") == ["0000000001000000.jsonl.open"]
    writer.append(b"67890\n", sync=False)
    assert names(tmp_path / "log") == ["0000000001000000.jsonl"]
    writer.append(b"1\n", sync=False)
    assert len(names(tmp_path / "log")) == 2


def test_a_segment_is_named_as_whole_when_it_is_old_enough(tmp_path, writer, clock):
    writer.append(b"1\n", sync=False)
    clock.at_us += 4
    writer.close_if_old()
    assert names(tmp_path / "log") == ["0000000001000000.jsonl.open"]
    clock.at_us += 1
    writer.close_if_old()
    assert names(tmp_path / "log") == ["0000000001000000.jsonl"]


def test_no_segment_is_made_of_nothing(tmp_path, writer):
    writer.close_if_old()
    writer.close()
    assert not (tmp_path / "log").exists()


def test_only_its_owner_may_read_a_segment(tmp_path, writer):
    writer.append(b"1\n", sync=False)
    (path,) = (tmp_path / "log").iterdir()
    assert path.stat().st_mode & 0o077 == 0


def test_a_living_process_keeps_its_segment(tmp_path, writer):
    writer.append(b"1\n", sync=True)
    assert adopt(tmp_path / "log") == 0
    writer.append(b"2\n", sync=True)
    writer.close()
    assert [path.read_bytes() for path in (tmp_path / "log").iterdir()] == [b"1\n2\n"]


DIE_WRITING = """
import os, signal, sys
from pathlib import Path
from endcap.core.clock import fixed_clock
from endcap.serving.segments import SegmentWriter
writer = SegmentWriter(Path(sys.argv[1]), clock=fixed_clock("2026-09-20"), max_bytes=1 << 20, max_age_us=1)
writer.append(b"whole\\n", sync=True)
writer.append(b"torn", sync=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_dead_process_leaves_its_segment_to_whoever_looks(tmp_path):
    ended = subprocess.run([sys.executable, "-c", DIE_WRITING, str(tmp_path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert adopt(tmp_path) == 1
    assert adopt(tmp_path) == 0
    (path,) = tmp_path.iterdir()
    assert (path.suffix, path.read_bytes()) == (".jsonl", b"whole\n")


@settings(max_examples=30)
@given(st.lists(st.binary(max_size=70_000).map(lambda raw: raw.replace(b"\n", b" ")), max_size=3), st.booleans())
def test_exactly_the_torn_line_is_cut_off(tmp_path_factory, lines, is_torn):
    folder = tmp_path_factory.mktemp("left")
    whole = b"".join(line + b"\n" for line in lines)
    (folder / "1-1-1.jsonl.open").write_bytes(whole + (b"x" * 66_000 if is_torn else b""))
    assert adopt(folder) == 1
    assert [path.read_bytes() for path in folder.iterdir()] == ([whole] if whole else [])


def test_a_folder_that_cannot_be_written_is_told(tmp_path, clock):
    (tmp_path / "file").touch()
    writer = SegmentWriter(tmp_path / "file", clock=clock, max_bytes=10, max_age_us=5)
    with pytest.raises(StoreError, match="the log cannot be written"):
        writer.append(b"1\n", sync=True)


def test_two_writers_never_share_a_segment(tmp_path, clock):
    writers = [SegmentWriter(tmp_path, clock=clock, max_bytes=100, max_age_us=5) for _ in range(3)]
    for writer in writers:
        writer.append(b"1\n", sync=False)
    assert len(list(tmp_path.iterdir())) == 3
    for writer in writers:
        writer.close()


def test_a_segment_that_cannot_be_adopted_does_not_keep_the_others_from_it(tmp_path):
    (tmp_path / "1-1-1.jsonl.open").mkdir()  # opening it fails, as opening another user's file would
    (tmp_path / "2-1-1.jsonl.open").write_bytes(b"whole\n")
    assert adopt(tmp_path) == 1
    assert (tmp_path / "2-1-1.jsonl").read_bytes() == b"whole\n"


def test_a_segment_whose_name_is_not_on_disk_is_not_written_to(tmp_path, writer, clock, monkeypatch):
    def fail(_folder):
        raise OSError(5, "input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("endcap.serving.segments._sync_folder", fail)
        with pytest.raises(StoreError, match="input/output error"):
            writer.append(b"lost\n", sync=True)
    clock.at_us += 1
    writer.append(b"kept\n", sync=True)
    writer.close()
    assert adopt(tmp_path / "log") == 1  # nobody holds it
    assert [path.read_bytes() for path in (tmp_path / "log").iterdir()] == [b"kept\n"]
