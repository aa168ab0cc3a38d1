import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.core.errors import BundleError, Code
from endcap.features.online import OnlineFeatures, write_histories

A, B, C = "a" * 32, "b" * 32, "c" * 32


def write(folder, histories):
    folder.mkdir(exist_ok=True)
    starts = np.concatenate([[0], np.cumsum([len(histories[key]) for key in sorted(histories)])]).astype(np.int64)
    flat = np.array([item for key in sorted(histories) for item in histories[key]], np.int32)
    write_histories(folder, sorted(histories), starts, flat)
    return folder


def test_a_user_has_their_own_history_and_a_stranger_none(tmp_path):
    features = OnlineFeatures.open(write(tmp_path, {B: [4, 5, 4], A: [7]}))
    assert (features.history(A), features.history(B), features.history(C)) == ([7], [4, 5, 4], [])
    assert (features.history(""), features.history("a"), features.history(A + "a")) == ([], [], [])
    assert len(features) == 2


def test_a_shop_without_users_has_no_histories(tmp_path):
    features = OnlineFeatures.open(write(tmp_path, {}))
    assert (len(features), features.history(A)) == (0, [])


def test_the_same_histories_are_the_same_bytes(tmp_path):
    for name in "xy":
        write(tmp_path / name, {A: [1], C: [2, 3]})
    for file in ("keys.npy", "starts.npy", "items.npy"):
        assert (tmp_path / "x" / file).read_bytes() == (tmp_path / "y" / file).read_bytes()


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.text("0123456789abcdef", min_size=32, max_size=32), st.lists(st.integers(0, 99), max_size=5)))
def test_what_was_written_is_read(tmp_path_factory, histories):
    features = OnlineFeatures.open(write(tmp_path_factory.mktemp("histories"), histories))
    assert {key: features.history(key) for key in histories} == histories


@pytest.mark.parametrize("file", ["keys.npy", "starts.npy", "items.npy"])
@pytest.mark.parametrize("fault", ["missing", "empty", "cut", "other type", "other length"])
def test_damage_is_found_on_opening(tmp_path, file, fault):
    path = write(tmp_path, {A: [1], B: [2, 3]}) / file
    whole = path.read_bytes()
    path.unlink()
    if fault == "other type":
        np.save(path, np.zeros(3, np.float64))
    elif fault == "other length":
        np.save(path, np.load(_again(tmp_path, file, whole))[:-1])
    elif fault != "missing":
        path.write_bytes(whole[:-1] if fault == "cut" else b"")
    with pytest.raises(BundleError) as caught:
        OnlineFeatures.open(tmp_path)
    assert caught.value.code is Code.BUNDLE_DAMAGED


def _again(folder, file, content):
    (folder / f"copy-{file}").write_bytes(content)
    return folder / f"copy-{file}"


def test_reading_needs_numpy_and_nothing_heavy():
    script = "import sys, endcap.features.online; print([m for m in ('ibis', 'duckdb', 'pandas') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
