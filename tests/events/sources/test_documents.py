import gzip

import pytest

from endcap.core.errors import Code, SourceError
from endcap.events.feed import Unread
from endcap.events.sources.documents import read_documents


def _read(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    return list(read_documents(path))


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.json", b'{"a": 1}', [(0, {"a": 1})]),
        ("a.jsonld", b'\xef\xbb\xbf[{"a": 1}, 2]', [(0, {"a": 1}), (1, 2)]),
        ("a.jsonl", b'{"a": 1}\n\n{"a": 2}\n', [(0, {"a": 1}), (2, {"a": 2})]),
        ("a.ndjson.gz", gzip.compress(b'{"a": 1}\n{', mtime=0), [(0, {"a": 1}), (1, Unread("{", "no JSON"))]),
        ("a.json", b"{", [(0, Unread("{", "no JSON"))]),
    ],
)
def test_documents_stand_alone_in_a_list_or_in_lines(tmp_path, name, content, found):
    assert _read(tmp_path, name, content) == found


def test_a_page_has_a_document_for_each_of_its_scripts(tmp_path):
    """What stands in a script is as it is; where that is no JSON, it may have been escaped by mistake."""
    page = b"""<html><script>var a = 1;</script>
    <SCRIPT type='application/ld+json' id="x">{"name": "12&quot; pan"}</SCRIPT>
    <script type="application/ld+json">{&quot;name&quot;: "B"}</script>
    <script type="application/ld+json">{oops}</script>"""
    assert _read(tmp_path, "page.html", page) == [
        (0, {"name": "12&quot; pan"}),
        (1, {"name": "B"}),
        (2, Unread("{oops}", "no JSON")),
    ]


def test_a_page_in_another_encoding_and_one_of_many_open_scripts_are_told(tmp_path):
    [(place, unread)] = _read(
        tmp_path, "page.html", "<script type='application/ld+json'>Käse</script>".encode("latin-1")
    )
    assert (place, unread.why) == (0, "no UTF-8 text")
    assert len(_read(tmp_path, "open.html", b"<script type='application/ld+json'>{}" * 15_000)) == 1


def test_what_is_nested_too_deeply_is_no_json(tmp_path):
    [(_, unread)] = _read(tmp_path, "a.json", b"[" * 50_000)
    assert unread.why == "no JSON"


def test_lines_may_stand_in_a_file_that_is_named_json(tmp_path):
    assert _read(tmp_path, "a.json", b'{"a": 1}\n{"a": 2}\n') == [(0, {"a": 1}), (1, {"a": 2})]


def test_a_missing_and_a_damaged_file_are_named(tmp_path):
    with pytest.raises(SourceError) as caught:
        list(read_documents(tmp_path / "no.json"))
    assert caught.value.code == Code.SOURCE_MISSING
    with pytest.raises(SourceError) as caught:
        _read(tmp_path, "a.json.gz", b"no gzip")
    assert caught.value.code == Code.SOURCE_UNREADABLE
