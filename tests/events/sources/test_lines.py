import gzip

import pytest

from endcap.core.errors import Code, SourceError
from endcap.events.sources.lines import has_header, header_of, read_csv, read_json_lines, split_lines


def test_every_field_of_a_csv_is_text_and_a_bad_line_keeps_its_place(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('id,price\n007,1.50\n1,2,3\n"a, b",\n')
    assert read_csv(path).to_pylist() == [
        {"id": "007", "price": "1.50", "_file": "a.csv", "_row": 0, "_fault": None},
        {"id": "a, b", "price": None, "_file": "a.csv", "_row": 2, "_fault": None},
        {"id": None, "price": None, "_file": "a.csv", "_row": 1, "_fault": "line_unreadable"},
    ]


def test_a_line_of_a_csv_in_another_encoding_keeps_its_place_and_stops_no_other(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("id,name\n1,käse\n".encode() + "x,\xe4\n2,b\n".encode("latin-1"))
    assert [(row["id"], row["name"], row["_row"], row["_fault"]) for row in read_csv(path).to_pylist()] == [
        ("1", "käse", 0, None),
        ("2", "b", 2, None),
        (None, None, 1, "line_unreadable"),
    ]


def test_json_lines_may_differ_and_a_bad_line_keeps_its_place(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id": 7}\n\n{torn\n[1]\n{"id": "8", "more": {"x": 1.5}}\n'))
    rows = read_json_lines(path).to_pylist()
    assert [(row["id"], row["more"], row["_row"], row["_fault"]) for row in rows] == [
        ("7", None, 0, None),
        ("8", '{"x":1.5}', 4, None),
        (None, None, 2, "line_unreadable"),
        (None, None, 3, "line_unreadable"),
    ]


def test_lines_that_are_blank_are_skipped():
    assert list(split_lines(b"a\n \nb")) == [(0, b"a"), (2, b"b")]


@pytest.mark.parametrize(("name", "content"), [("a.csv", b""), ("a.csv.gz", b"no gzip"), ("a.csv", b"\xff\xfe\n1\n")])
def test_a_file_that_is_no_text_is_named(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        read_csv(path)
    assert (caught.value.code, caught.value.where) == (Code.SOURCE_UNREADABLE, name)


def test_a_header_is_read_without_the_other_lines_whatever_is_around_it(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes('\ufeffat,"user, id",item\r\n1,2,3\n'.encode())
    assert (header_of(path), has_header(path)) == (["at", "user, id", "item"], True)
    (tmp_path / "b.tsv.gz").write_bytes(gzip.compress(b"at\tuser\n"))
    assert header_of(tmp_path / "b.tsv.gz") == ["at", "user"]
    assert not has_header(tmp_path / "c.jsonl.gz")


def test_a_first_line_that_is_no_header_gives_no_address_away(tmp_path):
    (tmp_path / "a.csv").write_text("2026-08-01,ann@example.org,view_item\n")
    assert header_of(tmp_path / "a.csv") == ["2026-08-01", "(hidden)", "view_item"]
