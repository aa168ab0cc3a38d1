import pytest

from endcap.serving.trace import trace_id_of

TRACE, SPAN = b"4bf92f3577b34da6a3ce929d0e0e4736", b"00f067aa0ba902b7"


@pytest.mark.parametrize("header", [b"00-%s-%s-01" % (TRACE, SPAN), b"cc-%s-%s-00-what-comes-later" % (TRACE, SPAN)])
def test_the_trace_of_a_valid_header_is_told(header):
    assert trace_id_of(header) == TRACE.decode()


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"00-%s-%s" % (TRACE, SPAN),
        b"00-%s-%s-01-more" % (TRACE, SPAN),
        b"ff-%s-%s-01" % (TRACE, SPAN),
        b"00-%s-%s-01" % (b"0" * 32, SPAN),
        b"00-%s-%s-01" % (TRACE, b"0" * 16),
        b"00-%s-%s-01" % (TRACE.upper(), SPAN),
        b"00-%s-%s-01\n" % (TRACE, SPAN),
    ],
)
def test_a_header_that_is_not_valid_names_none(header):
    assert trace_id_of(header) is None
