import copy
import re
from pathlib import Path

import pytest

import endcap.core.errors as errors_module
from endcap.core.errors import Code, ConfigError, EndcapError, SourceError, UsageError, near, told_error, untold_error

PLAYBOOK = Path(__file__).parents[2] / "docs" / "playbook.md"


def test_the_playbook_has_a_section_for_each_code_and_no_other_in_the_same_order():
    headings = re.findall(r"^## (.+)$", PLAYBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == [code.value for code in Code]


def test_every_section_says_what_it_means_how_it_shows_and_what_to_do():
    sections = re.split(r"^## .+$", PLAYBOOK.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    for code, section in zip(Code, sections, strict=True):
        for part in ("Means:", "Shows:", "Do:"):
            assert part in section, (code, part)


def test_codes_are_lower_case_words_with_hyphens():
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code.value) for code in Code)


def test_a_code_is_named_as_it_is_written():
    assert all(code.name == code.value.upper().replace("-", "_") for code in Code)


def test_the_tree_in_the_docstring_is_the_tree_of_classes():
    drawn = re.findall(r"^    [├└]── (\w+) +(.+)$", errors_module.__doc__, re.MULTILINE)
    real = [
        (each.__name__, each.__doc__)
        for each in EndcapError.__subclasses__()
        if each.__module__ == "endcap.core.errors"
    ]
    assert [(name, meaning[0].upper() + meaning[1:] + ".") for name, meaning in drawn] == real


def test_an_error_is_told_in_three_lines():
    error = ConfigError("seed is -1", where="$.seed", fix="give 0 or more", code=Code.CONFIG_INVALID)
    assert str(error) == "seed is -1 [config-invalid]\n  where: $.seed\n  fix: give 0 or more"


def test_an_error_that_says_where_in_its_first_line_has_two():
    assert str(EndcapError("no shop", fix="make one", code=Code.USAGE)).splitlines() == [
        "no shop [usage]",
        "  fix: make one",
    ]


def test_every_error_ends_a_command_with_two():
    assert {each.exit_code for each in EndcapError.__subclasses__()} == {2}


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("popuar", "did you mean 'popular'?"),
        ("item_markow", "did you mean 'item_markov'?"),
        ("zzz", "known: item_markov, popular, two_tower"),
        ("", "known: item_markov, popular, two_tower"),
    ],
)
def test_near_words_are_named_else_all(word, told):
    assert near(word, {"two_tower", "popular", "item_markov"}) == told


def test_a_long_list_is_cut_after_twelve():
    told = near("zzz", [f"name_{number:02d}" for number in range(13)])
    assert told.startswith("known: name_00, ")
    assert told.endswith("name_11, ...")


def test_nothing_known_is_told_as_nothing():
    assert near("a", []) == "known: "


def test_an_error_goes_to_another_process_whole():
    told = UsageError("3 of 5 are wrong", where="here", fix="make them right", code=Code.USAGE)
    again = copy.copy(told)  # as pickling does: by what the error says of its making
    assert type(again) is UsageError
    assert (str(again), again.code, again.where) == (str(told), told.code, told.where)


def test_an_error_told_as_plain_values_is_the_same_error():
    error = SourceError("a file is torn", where="a.csv", fix="export it again", code=Code.SOURCE_UNREADABLE)
    again = untold_error(told_error(error))
    assert (type(again), str(again)) == (SourceError, str(error))


def test_an_error_of_another_package_is_told_as_the_one_that_it_is():
    class TornError(SourceError):
        """Of a package that has a class of its own."""

    error = TornError("a file is torn", where="a.csv", fix="export it again", code=Code.SOURCE_UNREADABLE)
    again = untold_error(told_error(error))
    assert (type(again), again.fix) == (SourceError, "export it again")
