from endcap.cli.table import table


def test_numbers_stand_to_the_right_and_texts_to_the_left():
    assert table(["what", "n"], [["a", 1200], ["bcd", 7]]) == "what      n\na     1,200\nbcd       7"


def test_missing_values_are_dashes_and_truths_are_words():
    assert table(["a", "b"], [[None, True], ["x", False]]).split("\n")[1:] == ["-  yes", "x  no"]


def test_no_rows_leave_the_heads():
    assert table(["one", "two"], []) == "one  two"
