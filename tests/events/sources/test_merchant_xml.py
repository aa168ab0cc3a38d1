import pytest

from endcap.core.errors import Code, SourceError
from endcap.events.sources.merchant_xml import merchant_xml_products

RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0">
<channel><title>A shop</title><link>https://shop.example</link>
<item><g:id>mug</g:id><title>Mug &amp; saucer</title><g:price>9.50 EUR</g:price><g:sale_price>8.00 EUR</g:sale_price>
 <g:shipping><g:country>DE</g:country><g:price>4.95 EUR</g:price></g:shipping>
 <g:additional_image_link>a.jpg</g:additional_image_link><g:additional_image_link>b.jpg</g:additional_image_link></item>
<item><g:id>pen</g:id><g:title><![CDATA[Pen <blue>]]></g:title><link>https://shop.example/pen</link></item>
</channel></rss>"""

ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">
<title>A shop</title><entry><g:id>mug</g:id><title>Mug</title><link href="https://shop.example/mug"/></entry></feed>"""


def _read(tmp_path, text):
    path = tmp_path / "feed.xml"
    path.write_text(text, encoding="utf-8")
    return list(merchant_xml_products(path))


def test_items_of_rss_are_products_and_what_has_parts_of_its_own_is_left_out(tmp_path):
    (first, mug), (second, pen) = _read(tmp_path, RSS)
    assert (first, second) == (0, 1)
    assert mug == {
        "id": "mug",
        "title": "Mug & saucer",
        "price": "9.50 EUR",
        "sale_price": "8.00 EUR",
        "additional_image_link": "a.jpg",
    }
    assert pen == {"id": "pen", "title": "Pen <blue>", "link": "https://shop.example/pen"}


def test_entries_of_atom_are_products_with_their_links(tmp_path):
    assert _read(tmp_path, ATOM) == [(0, {"id": "mug", "title": "Mug", "link": "https://shop.example/mug"})]


@pytest.mark.parametrize(
    "text",
    ["", "<rss><channel><item>", '<!DOCTYPE x [<!ENTITY a "aaaa">]><rss><item><id>&a;</id></item></rss>', "id\ttitle"],
    ids=["empty", "cut", "entities", "text"],
)
def test_what_is_no_plain_xml_is_refused(tmp_path, text):
    with pytest.raises(SourceError, match="no XML that can be read") as caught:
        _read(tmp_path, text)
    assert caught.value.code == Code.SOURCE_UNREADABLE


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8"])
def test_a_document_type_is_refused_in_every_encoding(tmp_path, encoding):
    text = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE x [<!ENTITY a "aaa">]>'
    text += "<rss><item><id>&a;</id></item></rss>"
    (tmp_path / "feed.xml").write_bytes(text.encode(encoding))
    with pytest.raises(SourceError, match="document type"):
        list(merchant_xml_products(tmp_path / "feed.xml"))


def test_an_encoding_that_is_not_known_is_told(tmp_path):
    with pytest.raises(SourceError, match="no XML that can be read"):
        _read(tmp_path, '<?xml version="1.0" encoding="gbk"?><rss/>')


def test_merchants_own_names_count_before_those_of_atom(tmp_path):
    entry = "<entry><id>tag:shop,2026:77</id><title>x</title><g:title>Mug</g:title><g:id>SKU1</g:id></entry>"
    text = f'<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">{entry}</feed>'
    assert _read(tmp_path, text) == [(0, {"id": "SKU1", "title": "Mug"})]
