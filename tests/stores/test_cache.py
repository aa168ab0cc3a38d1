import os

import pytest

from endcap.core.errors import Code, StoreError
from endcap.stores.cache import LocalCache


@pytest.fixture
def opened(tmp_path):
    """Opens caches of one folder, for objects of as many bytes as their key has; told is what was fetched."""
    told, caches = [], []

    def open_cache(limit=10**9, fetch=None):
        def fetches(key, path):
            told.append(key)
            path.write_bytes(key.encode())

        caches.append(LocalCache(tmp_path / "cache", limit_bytes=limit, fetch=fetch or fetches))
        return caches[-1]

    open_cache.told = told
    yield open_cache
    for cache in caches:
        cache.close()


def wanted(*keys):
    return {key: len(key) for key in keys}


def copies(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache" / "files").rglob("*") if path.is_file())


def test_an_object_is_fetched_once_also_for_another_process(opened, tmp_path):
    first = opened().bring(wanted("a/1", "b/22"))
    assert first == [tmp_path / "cache/files/a/1", tmp_path / "cache/files/b/22"]
    assert opened().bring(wanted("b/22", "a/1")) == first[::-1]
    assert sorted(opened.told) == ["a/1", "b/22"]
    assert first[1].read_bytes() == b"b/22"


def test_the_longest_unused_goes_first_and_what_a_running_process_was_given_stays(opened, tmp_path):
    done = opened(limit=12)
    for second, path in enumerate(done.bring(wanted("old1", "new1", "newer"))):
        os.utime(path, (second, second))
    done.close()
    running = opened(limit=12)
    running.bring(wanted("old1"))
    opened(limit=12).bring(wanted("coming"))
    assert copies(tmp_path) == ["coming", "old1"]
    opened(limit=1).bring(wanted("more"))
    assert copies(tmp_path) == ["coming", "more", "old1"]  # all are in use: the limit is for what is not


def test_what_a_dead_process_had_pinned_and_half_fetched_goes(opened, tmp_path):
    place = tmp_path / "cache"
    (place / "pins").mkdir(parents=True)
    (place / "pins" / "1-0").write_text("dead\n")
    (place / "coming" / "1-0").mkdir(parents=True)
    (place / "files").mkdir()
    (place / "files" / "dead").write_bytes(b"dead")
    opened(limit=5).bring(wanted("alive"))
    assert copies(tmp_path) == ["alive"]
    assert not (place / "coming" / "1-0").exists()
    assert not (place / "pins" / "1-0").exists()


def test_a_fetch_that_dies_leaves_nothing_and_is_done_again(opened):
    def dies(_key, path):
        path.write_bytes(b"ha")
        raise StoreError("away", fix="wait", code=Code.STORAGE_UNREACHABLE)

    cache = opened(fetch=dies)
    with pytest.raises(StoreError):
        cache.bring(wanted("half"))
    cache.close()
    assert opened().bring(wanted("half"))[0].read_bytes() == b"half"


def test_a_copy_or_an_object_of_another_size_is_not_taken(opened):
    (path,) = opened().bring(wanted("torn"))
    path.write_bytes(b"to")
    assert opened().bring(wanted("torn"))[0].read_bytes() == b"torn"
    with pytest.raises(StoreError, match="has 9 bytes, and 4 came"):
        opened().bring({"four": 9})


def test_what_does_not_fit_the_disk_is_refused_before_it_is_fetched(opened):
    with pytest.raises(StoreError) as caught:
        opened().bring({"large": 10**18})
    assert (caught.value.code, opened.told) == (Code.DISK_FULL, [])


def test_copies_of_what_is_gone_go_but_those_that_a_running_process_uses(opened, tmp_path):
    opened().bring(wanted("used"))
    ended = opened()
    ended.bring(wanted("done", "kept"))
    ended.close()
    opened().drop(["used", "done", "never-there"])
    assert copies(tmp_path) == ["kept", "used"]
