import subprocess
import sys

import pytest

from endcap.core.contract import Column, Kind, Table
from endcap.core.errors import Code, StoreError
from endcap.stores.adapters.bucket import S3Bucket, delta_options
from endcap.stores.adapters.delta import DeltaTables
from endcap.stores.adapters.object_errors import is_of_a_store, storage_error

WHOLE = Table("whole", "a count", (Column("n", Kind.INT64, "count"),), ("n",), partition="")


REFUSING = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Answers(BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, code = self.path.split("/")[1].split("-")
        body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode() if code else b""
        self.send_response(int(status))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer

    def log_message(self, *_words):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def refusing():
    """A server that answers with the status and S3's error code that its path begins with; a process of its own, for
    delta-rs waits while it holds this one."""
    with subprocess.Popen([sys.executable, "-c", REFUSING], stdout=subprocess.PIPE, text=True) as server:
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        server.kill()


@pytest.fixture
def credentials(monkeypatch):
    for name, value in (("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret"), ("AWS_REGION", "us-east-1")):
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    ("status", "code", "ours"),
    [
        (403, "AccessDenied", Code.STORAGE_DENIED),
        (403, "", Code.STORAGE_DENIED),
        (403, "RequestTimeTooSkewed", Code.STORAGE_CLOCK),
        (403, "InvalidAccessKeyId", Code.STORAGE_CREDENTIALS),
        (403, "SignatureDoesNotMatch", Code.STORAGE_CREDENTIALS),
        (400, "ExpiredToken", Code.STORAGE_CREDENTIALS),
        (404, "NoSuchBucket", Code.STORAGE_MISSING),
        (301, "PermanentRedirect", Code.STORAGE_MISSING),
        (418, "Teapot", Code.STORAGE_UNREACHABLE),
    ],
)
def test_what_a_store_answers_is_told_by_its_code_from_both_clients(refusing, status, code, ours):
    endpoint = f"{refusing}/{status}-{code}"
    bucket = S3Bucket("s3://bucket/shop", endpoint=endpoint)
    tables = DeltaTables("s3://bucket/shop", delta_options(endpoint, ""))
    for ask in (bucket.list, lambda: bucket.put_if("a", b"", None), lambda: tables.version(WHOLE)):
        with pytest.raises(StoreError) as caught:
            ask()
        assert caught.value.code == ours
        assert caught.value.where.startswith("s3://bucket/shop")
        assert len(str(caught.value)) < 700


@pytest.mark.usefixtures("credentials")
def test_an_endpoint_where_nobody_listens_is_unreachable():
    with pytest.raises(StoreError) as caught:
        S3Bucket("s3://bucket/shop", endpoint="http://127.0.0.1:1").list()
    assert caught.value.code == Code.STORAGE_UNREACHABLE
    with pytest.raises(StoreError) as caught:
        DeltaTables("s3://bucket/shop", delta_options("http://127.0.0.1:1", "")).version(WHOLE)
    assert caught.value.code == Code.STORAGE_UNREACHABLE
    assert "Connection refused" in caught.value.what


def test_no_credentials_are_told_by_the_place_that_was_asked_for_them():
    error = OSError("Generic S3 error: Error performing PUT http://169.254.169.254/latest/api/token in 5s - timed out")
    assert storage_error(error, where="s3://b/p").code == Code.STORAGE_CREDENTIALS


def test_an_error_of_the_rows_is_none_of_the_store():
    assert not is_of_a_store(OSError(28, "No space left on device"))
    assert is_of_a_store(OSError("Generic S3 error: 503"))
