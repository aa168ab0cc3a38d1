import signal
import subprocess
import sys

import pytest

from endcap.core.errors import Code, StoreError
from endcap.stores.adapters.lmdb import LmdbKeyValues


@pytest.fixture
def kv(tmp_path):
    opened = LmdbKeyValues(tmp_path / "kv", size_mb=8)
    yield opened
    opened.close()


def test_values_are_kept_and_replaced(kv):
    assert kv.get(b"a") is None
    kv.put(b"a", b"1")
    kv.put(b"a", b"2")
    assert kv.get(b"a") == b"2"


def test_changes_see_the_present_value_and_happen_all_or_none(kv):
    kv.put(b"a", b"1")
    kv.change({b"a": lambda old: old + b"!", b"b": lambda old: b"new" if old is None else b""})
    assert (kv.get(b"a"), kv.get(b"b")) == (b"1!", b"new")

    def fail(_old):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        kv.change({b"a": lambda _old: b"2", b"c": fail})
    assert kv.get(b"a") == b"1!"


def test_a_process_that_opens_it_twice_has_one_environment(tmp_path, kv):
    again = LmdbKeyValues(tmp_path / "kv")
    kv.put(b"a", b"1")
    assert again.get(b"a") == b"1"
    again.close()
    assert kv.get(b"a") == b"1"


def test_what_is_in_it_outlives_the_process_that_wrote_it(tmp_path):
    ended = subprocess.run([sys.executable, "-c", PUT_AND_DIE, str(tmp_path / "kv")], check=False)
    assert ended.returncode == -signal.SIGKILL
    kv = LmdbKeyValues(tmp_path / "kv", size_mb=8)
    assert kv.get(b"a") == b"1"
    kv.close()


PUT_AND_DIE = """
import os, signal, sys
from pathlib import Path
from endcap.stores.adapters.lmdb import LmdbKeyValues
LmdbKeyValues(Path(sys.argv[1]), size_mb=8).put(b"a", b"1")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_processes_count_together_without_losing_one(tmp_path):
    processes = [subprocess.Popen([sys.executable, "-c", COUNT, str(tmp_path / "kv")]) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    kv = LmdbKeyValues(tmp_path / "kv", size_mb=8)
    assert kv.get(b"n") == b"400"
    kv.close()


COUNT = """
import sys
from pathlib import Path
from endcap.stores.adapters.lmdb import LmdbKeyValues
kv = LmdbKeyValues(Path(sys.argv[1]), size_mb=8)
for _ in range(200):
    kv.change({b"n": lambda old: str(int(old or 0) + 1).encode()})
kv.close()
"""


def test_a_full_store_says_so_and_keeps_what_it_has(kv):
    kv.put(b"a", b"1")
    with pytest.raises(StoreError) as caught:
        kv.change({str(number).encode(): lambda _old: b"x" * 200_000 for number in range(100)})
    assert caught.value.code is Code.STORE_UNUSABLE
    assert kv.get(b"a") == b"1"


def test_a_damaged_file_is_made_anew(tmp_path):
    kv = LmdbKeyValues(tmp_path / "kv", size_mb=8)
    kv.put(b"a", b"1")
    kv.close()
    (tmp_path / "kv" / "data.mdb").write_bytes(b"x" * 10_000)
    kv = LmdbKeyValues(tmp_path / "kv", size_mb=8)
    assert kv.get(b"a") is None
    kv.put(b"a", b"2")
    assert kv.get(b"a") == b"2"
    kv.close()


def test_a_folder_that_cannot_be_used_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be used"):
        LmdbKeyValues(tmp_path / "file" / "kv")


def test_a_file_that_a_crash_of_the_machine_has_cut_is_made_anew(tmp_path):
    kv = LmdbKeyValues(tmp_path / "kv", size_mb=8)
    kv.change({b"%d" % number: lambda _old: b"x" * 100_000 for number in range(20)})
    kv.close()
    with (tmp_path / "kv" / "data.mdb").open("r+b") as file:
        file.truncate(100_000)
    ended = subprocess.run([sys.executable, "-c", READ_ALL, str(tmp_path / "kv")], check=False)
    assert ended.returncode == 0  # reading beyond the end would be its death


READ_ALL = """
import sys
from pathlib import Path
from endcap.stores.adapters.lmdb import LmdbKeyValues
kv = LmdbKeyValues(Path(sys.argv[1]), size_mb=8)
assert [kv.get(b"%d" % number) for number in range(20)] == [None] * 20
kv.put(b"a", b"1")
kv.close()
"""


def test_a_damaged_file_that_others_use_is_left_to_them(tmp_path, kv):
    kv.put(b"a", b"1")
    with (tmp_path / "kv" / "data.mdb").open("r+b") as file:
        header = file.read(8192)
        file.seek(0)
        file.write(b"x" * 8192)
    open_it = [sys.executable, "-c", OPEN, str(tmp_path / "kv")]
    ended = subprocess.run(open_it, check=False, capture_output=True, text=True)
    assert "the key-value store cannot be used" in ended.stdout
    with (tmp_path / "kv" / "data.mdb").open("r+b") as file:
        file.write(header)
    assert kv.get(b"a") == b"1"
    kv.put(b"a", b"2")
    assert subprocess.run(open_it, check=True, capture_output=True, text=True).stdout == "b'2'\n"


OPEN = """
import sys
from pathlib import Path
from endcap.core.errors import StoreError
from endcap.stores.adapters.lmdb import LmdbKeyValues
try:
    print(LmdbKeyValues(Path(sys.argv[1]), size_mb=8).get(b"a"))
except StoreError as error:
    print(error)
"""
