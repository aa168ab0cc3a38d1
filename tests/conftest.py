import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from endcap.engines.adapters.duckdb import DuckDBEngine
from endcap.testing.postgres import PASSWORD as POSTGRES_PASSWORD
from endcap.testing.postgres import initdb, own_server
from endcap.testing.s3_server import CREDENTIALS, make_bucket, own_s3, s3_program
from endcap.testing.spark import CHEAP_JAVA, is_installed

ROOT = Path(__file__).parent.parent


@pytest.fixture
def engine(tmp_path):
    made = DuckDBEngine(memory_limit="1GB", threads=1, spill=tmp_path / "spill")
    yield made
    made.close()


@pytest.fixture(scope="session")
def spark_engine(tmp_path_factory):
    """One Spark of this process for all tests: its Java takes seconds to start."""
    if not is_installed():
        is_missing("Spark", "pip install 'endcap[spark]'; apt-get install openjdk-17-jre-headless")
    from endcap.engines.adapters.spark import SparkEngine  # noqa: PLC0415 - an extra

    os.environ["JAVA_TOOL_OPTIONS"] = CHEAP_JAVA
    made = SparkEngine(
        master="local[2]", memory_limit="1GB", threads=0, scratch=tmp_path_factory.mktemp("spark") / "scratch"
    )
    yield made
    made.close()


def is_missing(what, how):
    """A server that is not installed skips a test, but never where everything has to be checked."""
    reason = f"{what} is not installed: {how}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory):
    """The file of an MLflow that knows no run: MLflow takes seconds to make one."""
    if find_spec("mlflow") is None:
        is_missing("MLflow", "pip install 'endcap[mlflow]'")
    from mlflow import MlflowClient  # noqa: PLC0415 - an extra

    file = tmp_path_factory.mktemp("mlflow") / "runs.db"
    MlflowClient(tracking_uri=f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def mlflow_file(empty_mlflow, tmp_path):
    """An MLflow of one's own: its URI."""
    return f"sqlite:///{shutil.copy(empty_mlflow, tmp_path / 'runs.db')}"


@pytest.fixture(scope="session")
def postgres_server():
    """A PostgreSQL server of its own: its URL without the password, which is POSTGRES_PASSWORD."""
    if not initdb():
        is_missing("PostgreSQL", "apt-get install postgresql")
    with own_server() as server:
        yield server.url


@pytest.fixture
def postgres(postgres_server, monkeypatch):
    """That server's URL, and its password where Endcap looks for it."""
    monkeypatch.setenv("ENDCAP_DATABASE_PASSWORD", POSTGRES_PASSWORD)
    return postgres_server


@pytest.fixture(scope="session")
def s3_server():
    """An S3 server of its own: its endpoint."""
    if not s3_program():
        is_missing("the S3 server", "make build/s3/ready")
    with own_s3() as endpoint:
        yield endpoint


@pytest.fixture
def s3(s3_server, request, monkeypatch):
    """That server's endpoint, the name of an empty bucket on it, and credentials where Endcap looks for them."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    bucket = f"b{abs(hash(request.node.nodeid))}"
    make_bucket(s3_server, bucket)
    return s3_server, bucket
