import json

import pytest

from endcap.core import errors
from endcap.core.errors import Code
from endcap.serving.problems import all_rejected, on_endcap_error
from endcap.serving.wire import Rejected


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("RequestError", Code.FIELD_TYPE, 400),
        ("RequestError", Code.TOO_MANY_EVENTS, 413),
        ("AccessError", Code.ACCESS_DENIED, 403),
        ("BundleError", Code.BUNDLE_MISSING, 503),
        ("StoreError", Code.LOG_UNUSABLE, 503),
        ("LedgerError", Code.FENCED, 500),
    ],
)
def test_each_error_has_its_status(kind, code, status):
    answer = on_endcap_error(None, getattr(errors, kind)("what", where="there", fix="mend it", code=code))
    assert answer.status_code == status
    assert json.loads(answer.content) == {
        "type": f"urn:endcap:problem:{code}",
        "title": code.replace("-", " "),
        "status": status,
        "detail": "what",
        "code": code,
        "fix": "mend it",
        "where": "there",
    }


def test_rejected_events_are_listed():
    answer = all_rejected([Rejected(row=0, code="user_missing", detail="user_id is needed")])
    problem = json.loads(answer.content)
    assert answer.status_code == 422
    assert problem["rejected"] == [{"row": 0, "code": "user_missing", "detail": "user_id is needed"}]
    assert problem["detail"].endswith("the first: user_id is needed")
