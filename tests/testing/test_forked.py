import errno
import os
import signal
from pathlib import Path

import pytest

from endcap.flows import shop
from endcap.flows.shop import write_atomically
from endcap.testing.faults import Fault, FaultKind
from endcap.testing.forked import run_forked

SECOND = "file/two"


def write_two(folder):
    """Put two small files and a folder in force; end with 3 where the disk is full."""
    try:
        for name in ("first", "second"):
            shop.write_atomically(folder / "two" / name, b"whole")
        (folder / "beside").mkdir()
        (folder / "beside" / "file").write_bytes(b"whole")
        (folder / "beside").rename(folder / "models")
    except OSError as error:
        return 3 if error.errno == errno.ENOSPC else 4
    return 0


def there(folder):
    places = [*(folder / "two").iterdir(), folder / "models"]
    return sorted(path.name for path in places if path.exists() and not path.name.startswith("."))


def test_a_run_without_a_fault_tells_its_operations_in_order(tmp_path):
    code, told = run_forked(lambda: write_two(tmp_path))
    assert (code, told, there(tmp_path)) == (
        0,
        ["file/two", "file/two", f"folder/{tmp_path.name}"],
        ["first", "models", "second"],
    )


@pytest.mark.parametrize(
    ("kind", "code", "left"),
    [
        (FaultKind.KILL_BEFORE, -signal.SIGKILL, ["first"]),
        (FaultKind.KILL_AFTER, -signal.SIGKILL, ["first", "second"]),
        (FaultKind.TORN, -signal.SIGKILL, ["first"]),
        (FaultKind.NO_SPACE, 3, ["first"]),
    ],
)
def test_the_fault_meets_the_operation_it_is_meant_for(tmp_path, kind, code, left):
    assert run_forked(lambda: write_two(tmp_path), Fault(kind, SECOND, 2))[0] == code
    assert there(tmp_path) == left
    halves = [path.read_bytes() for path in (tmp_path / "two").iterdir() if path.name.startswith(".second")]
    assert halves == ([b"wh"] if kind in {FaultKind.TORN, FaultKind.NO_SPACE} else [])


def test_a_folder_can_be_torn_before_it_is_named(tmp_path):
    fault = Fault(FaultKind.TORN, f"folder/{tmp_path.name}")
    assert run_forked(lambda: write_two(tmp_path), fault)[0] == -signal.SIGKILL
    assert (tmp_path / "beside" / "file").read_bytes() == b"wh"
    assert not (tmp_path / "models").exists()


def test_this_process_itself_is_left_as_it_is():
    before = (write_atomically, Path.rename, os.rename)
    run_forked(lambda: 0, Fault(FaultKind.KILL_BEFORE, SECOND))
    assert (shop.write_atomically, Path.rename, os.rename) == before
