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
        ("a.ndjson.gz", gzip.compress(b'{"a": 1}\n{'), [(0, {"a": 1}), (1, Unread("{", "no JSON"))]),
        ("a.json", b"{", [(0, Unread("{", "no JSON"))]),
    ],
)
def test_documents_stand_alone_in_a_list_or_in_lines(tmp_path, name, content, found):
    assert _read(tmp_path, name, content) == found


def test_a_page_has_a_document_for_each_of_its_scripts(tmp_path):
    page = b"""<html><script>var a = 1;</script><SCRIPT type='application/ld+json' id="x">
    {"name": "A &amp; B"}</SCRIPT><script type="application/ld+json">{oops}</script></html>"""
    assert _read(tmp_path, "page.html", page) == [(0, {"name": "A & B"}), (1, Unread("{oops}", "no JSON"))]


def test_a_missing_and_a_damaged_file_are_named(tmp_path):
    with pytest.raises(SourceError) as caught:
        list(read_documents(tmp_path / "no.json"))
    assert caught.value.code == Code.SOURCE_MISSING
    with pytest.raises(SourceError) as caught:
        _read(tmp_path, "a.json.gz", b"no gzip")
    assert caught.value.code == Code.SOURCE_UNREADABLE
