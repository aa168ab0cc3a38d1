import pytest

from endcap.core.errors import Code, SourceError
from endcap.events.catalogue_config import MerchantCatalogue
from endcap.events.catalogue_files import FIRST_SEEN, catalogue_files, day_said, in_order, is_seen, plan_days_said

BY_DAY = MerchantCatalogue(file="", feeds="feeds/*.tsv", updates="stock/*.tsv")
BOTH = MerchantCatalogue(file="all.tsv", feeds="feeds/*.tsv", updates="stock/*.tsv")


@pytest.fixture
def folder(tmp_path):
    """A source of a feed without a day, feeds of the first and third of March, and updates of the second."""
    for name in (
        "all.tsv",
        "feeds/f_20260301.tsv",
        "feeds/f_20260303.tsv",
        "stock/a_20260302.tsv",
        "stock/b_20260302.tsv",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def plan(folder, settings, made=None, *, through="2026-03-31", again=False):
    def digest(file):
        return file.path.read_text() if file.path.is_file() else ""

    return plan_days_said(catalogue_files(settings, folder), made or {}, digest, through=through, again=again)


def test_each_day_is_made_of_its_own_files_and_no_day_after_the_last_one_is_planned(folder):
    first = {"feed:feeds/f_20260301.tsv": "feeds/f_20260301.tsv"}
    second = {f"update:stock/{name}_20260302.tsv": f"stock/{name}_20260302.tsv" for name in "ab"}
    assert plan(folder, BY_DAY, through="2026-03-02") == {"2026-03-01": first, "2026-03-02": second}
    assert list(plan(folder, BY_DAY)) == ["2026-03-01", "2026-03-03", "2026-03-02"]
    assert [file.is_update for file in catalogue_files(BY_DAY, folder)] == [False, False, True, True]


def test_a_feed_without_a_day_holds_from_the_beginning_and_each_other_content_from_the_day_it_was_found_on(folder):
    alone = MerchantCatalogue(file="all.tsv")
    first = plan(folder, alone, through="2026-03-05")
    assert first == {FIRST_SEEN: {"feed:all.tsv": "all.tsv"}}
    assert plan(folder, alone, first, through="2026-03-06") == first
    (folder / "all.tsv").write_text("new")
    second = plan(folder, alone, first, through="2026-03-06")
    assert second == {"seen-2026-03-06": {"feed:all.tsv": "new"}}
    assert plan(folder, alone, first | second, through="2026-03-09") == second
    (folder / "all.tsv").write_text("newer")
    assert list(plan(folder, alone, first | second, through="2026-03-06")) == ["seen-2026-03-06"]
    assert plan(folder, alone, first | second, through="2026-03-05") == {}


def test_beside_feeds_by_day_a_feed_without_one_holds_from_the_day_it_was_found_on(folder):
    assert "seen-2026-03-02" in plan(folder, BOTH, through="2026-03-02")
    assert FIRST_SEEN not in plan(folder, BOTH, through="2026-03-02")


def test_a_missing_feed_is_planned_so_that_reading_it_tells(folder):
    (folder / "all.tsv").unlink()
    assert plan(folder, MerchantCatalogue(file="all.tsv")) == {FIRST_SEEN: {"feed:all.tsv": ""}}


def test_a_day_whose_files_are_gone_stays_and_one_of_which_another_came_is_refused(folder):
    made = plan(folder, BY_DAY)
    (folder / "feeds/f_20260301.tsv").unlink()
    (folder / "stock/a_20260302.tsv").unlink()
    assert list(plan(folder, BY_DAY, made)) == ["2026-03-03"]
    (folder / "stock/c_20260302.tsv").touch()
    with pytest.raises(SourceError, match=r"a_20260302\.tsv of 2026-03-02 is gone .*c_20260302\.tsv") as caught:
        plan(folder, BY_DAY, made)
    assert (caught.value.code, "--again catalogue" in caught.value.fix) == (Code.SOURCE_MISSING, True)
    again = plan(folder, BY_DAY, made, again=True)
    assert sorted(again["2026-03-02"]) == ["update:stock/b_20260302.tsv", "update:stock/c_20260302.tsv"]


def test_a_file_whose_name_tells_no_day_is_refused(folder):
    (folder / "feeds/latest.tsv").touch()
    with pytest.raises(SourceError, match=r"feeds/latest\.tsv tells no day") as caught:
        catalogue_files(BY_DAY, folder)
    assert caught.value.code is Code.SOURCE_UNREADABLE


def test_the_feed_without_a_day_is_none_of_those_by_day_that_the_glob_takes_in(folder):
    wide = MerchantCatalogue(file="all.tsv", feeds="*.tsv")
    assert [(file.key, file.day) for file in catalogue_files(wide, folder)] == [("feed:all.tsv", "")]


def test_partitions_are_ordered_by_their_days_what_was_found_after_what_was_told():
    told = ["seen-2026-03-02", "2026-03-10", "2026-03-02", FIRST_SEEN]
    assert in_order(told) == [FIRST_SEEN, "2026-03-02", "seen-2026-03-02", "2026-03-10"]
    assert [(is_seen(name), day_said(name)) for name in told[:2]] == [(True, "2026-03-02"), (False, "2026-03-10")]
