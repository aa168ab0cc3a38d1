from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.core.errors import Code, SourceError
from endcap.events.pulled_objects import digest_of_objects, held_objects, latest_objects, mirror_objects
from endcap.stores.objects import StoredObject


class KilledError(BaseException):
    """What stands for a kill."""


class Box:
    """Objects in memory: key -> (number of its version, bytes)."""

    def __init__(self, **held):
        self.held, self.read_keys, self.lives = held, [], 1_000

    def list(self):
        return [StoredObject(key, len(data), version, f"v{version}") for key, (version, data) in self.held.items()]

    @contextmanager
    def read(self, key):
        self.lives -= 1
        if self.lives < 0:
            raise KilledError
        self.read_keys.append(key)
        if key not in self.held:
            yield None
            return
        version, data = self.held[key]
        yield StoredObject(key, len(data), version, f"v{version}"), iter([data[:1], data[1:]])


@pytest.fixture
def mirror(tmp_path):
    def mirrored(box, wanted=None):
        wanted = box.list() if wanted is None else wanted
        return mirror_objects(box, wanted, tmp_path / "copies", scratch=tmp_path / "scratch")

    return mirrored


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_only_what_is_new_or_changed_is_fetched(tmp_path, mirror):
    box = Box(**{"a/one": (1, b"11"), "two": (1, b"22")})
    assert (mirror(box).num_fetched, mirror(box).num_fetched) == (2, 0)
    box.held |= {"two": (2, b"33"), "b/three": (1, b"")}
    told = mirror(box)
    assert (told.num_fetched, told.num_bytes, told.num_gone) == (2, 2, 0)
    assert box.read_keys[2:] == ["b/three", "two"]
    assert files(tmp_path / "copies") == {"a/one": b"11", "two": b"33", "b/three": b""}


def test_what_is_gone_there_goes_here_with_its_folder(tmp_path, mirror):
    box = Box(**{"a/b/one": (1, b"1"), "two": (1, b"2")})
    mirror(box)
    del box.held["a/b/one"]
    assert mirror(box).num_gone == 1
    assert [path.name for path in (tmp_path / "copies").iterdir()] == ["two"]
    box.held["a"] = (1, b"now an object")
    assert mirror(box).num_fetched == 1


def test_an_object_that_goes_or_changes_after_it_was_listed_is_as_it_is_then(tmp_path, mirror):
    box = Box(one=(1, b"1"), two=(1, b"2"))
    wanted = box.list()
    box.held = {"two": (2, b"new")}
    assert mirror(box, wanted).num_gone == 1
    assert files(tmp_path / "copies") == {"two": b"new"}
    assert mirror(box).num_fetched == 0


def test_a_copy_that_is_lost_or_cut_is_fetched_again(tmp_path, mirror):
    box = Box(one=(1, b"11"), two=(1, b"22"))
    mirror(box)
    (tmp_path / "copies" / "one").unlink()
    (tmp_path / "copies" / "two").write_bytes(b"2")
    assert held_objects(tmp_path / "copies") == {}
    assert mirror(box).num_fetched == 2


def test_a_line_that_was_cut_costs_one_object(tmp_path, mirror):
    box = Box(one=(1, b"11"), two=(1, b"22"))
    mirror(box)
    journal = tmp_path / "copies.jsonl"
    journal.write_bytes(journal.read_bytes()[:-5])
    assert mirror(box).num_fetched == 1
    assert mirror(box).num_fetched == 0


def test_an_object_that_comes_short_is_refused_and_the_old_copy_stays(tmp_path, mirror):
    box = Box(one=(1, b"11"))
    mirror(box)
    box.held["one"] = (2, b"22")

    @contextmanager
    def short(key):
        yield StoredObject(key, 2, 2, "v2"), iter([b"2"])

    box.read = short
    with pytest.raises(SourceError) as caught:
        mirror(box)
    assert caught.value.code == Code.SOURCE_UNREACHABLE
    assert "has 2 bytes, and 1 came" in caught.value.what
    assert files(tmp_path / "copies") == {"one": b"11"}


def test_objects_are_named_by_globs_as_files_of_a_folder_are():
    box = Box(**dict.fromkeys(["a/x.csv", "x.csv.gz", "feed.tsv", "b/", "y.txt"], (1, b"")))
    named = latest_objects(box.list(), ["*.csv*", "feed.tsv"])
    assert [each.key for each in named] == ["a/x.csv", "x.csv.gz", "feed.tsv"]


@pytest.mark.parametrize("key", ["../x.csv", "a/../x.csv", "/x.csv", "a//x.csv", "./x.csv", "a\0.csv"])
def test_a_key_that_leads_out_of_the_folder_is_refused(key):
    with pytest.raises(SourceError) as caught:
        latest_objects(Box(**{key: (1, b"")}).list(), ["*.csv"])
    assert caught.value.code == Code.SOURCE_UNREADABLE


def test_the_digest_of_a_listing_changes_with_any_object():
    boxes = [Box(one=(1, b"1")), Box(one=(2, b"1")), Box(one=(1, b"11")), Box(two=(1, b"1")), Box()]
    assert len({digest_of_objects(box.list()) for box in boxes}) == len(boxes)


STATES = st.dictionaries(st.sampled_from(["a", "b", "c/d", "c/e"]), st.integers(1, 3), max_size=4)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(STATES, st.integers(0, 5)), max_size=4))
def test_however_often_it_is_killed_the_folder_ends_as_the_store_is(tmp_path_factory, states):
    root, box = tmp_path_factory.mktemp("mirror"), Box()
    for held, box.lives in [*states, ({"a": 9}, 1_000)]:
        box.held = {key: (version, f"{key}{version}".encode()) for key, version in held.items()}
        try:
            mirror_objects(box, box.list(), root / "copies", scratch=root / "scratch")
        except KilledError:
            continue
        assert files(root / "copies") == {key: data for key, (_, data) in box.held.items()}
