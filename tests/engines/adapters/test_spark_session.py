import os
import socket
import subprocess
import sys

import pytest

from endcap.core.errors import Code, ConfigError
from endcap.testing.spark import is_installed

if not is_installed() and not os.environ.get("CI"):  # there the import below fails
    pytest.skip("Spark is not installed", allow_module_level=True)

from endcap.engines.adapters.spark_session import open_session


def refused(master, tmp_path):
    with pytest.raises(ConfigError) as caught:
        open_session(master, memory_limit="1GB", threads=0, scratch=tmp_path)
    return caught.value


def test_without_a_java_it_is_said_before_spark_is_asked(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    error = refused("local[*]", tmp_path)
    assert error.code is Code.ENGINE_MISSING
    assert "Spark needs Java 17 or newer: there is no java on the PATH" in str(error)
    assert "apt-get install openjdk-17-jre-headless" in error.fix


def test_a_java_home_without_a_java_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert f"there is no java in JAVA_HOME={tmp_path}" in str(refused("local[*]", tmp_path))


def test_a_java_that_is_too_old_is_named_with_its_version(tmp_path, monkeypatch):
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert f"{java} is Java 11" in str(refused("local[*]", tmp_path))


@pytest.mark.parametrize("master", ["spark://127.0.0.1:1", "spark://127.0.0.1:1,127.0.0.1:2", "sc://127.0.0.1:1"])
def test_a_master_at_which_nobody_listens_is_told_at_once(master, tmp_path):
    error = refused(master, tmp_path)
    assert error.code is Code.ENGINE_UNREACHABLE
    assert f"the Spark master {master} cannot be reached: " in str(error)


@pytest.mark.parametrize("master", ["yarn", "local[two]", "spark://", "http://127.0.0.1:8080"])
def test_what_is_no_master_is_told_with_those_that_are(master, tmp_path):
    error = refused(master, tmp_path)
    assert f"the Spark master {master} is no master that Endcap knows" in str(error)
    assert "local[*], spark://HOST:7077 or sc://HOST:15002" in error.fix


def test_a_token_in_the_name_of_a_master_is_refused_and_not_told_again(tmp_path):
    error = refused("sc://127.0.0.1:1/;token=SECRET", tmp_path)
    assert error.code is Code.CONFIG_INVALID
    assert "SECRET" not in str(error)
    assert "SPARK_CONNECT_AUTHENTICATE_TOKEN" in error.fix


def test_less_memory_than_spark_needs_is_told_before_it_starts(tmp_path):
    with pytest.raises(ConfigError, match="400MB, and Spark needs 512 MB") as caught:
        open_session("local[2]", memory_limit="400MB", threads=0, scratch=tmp_path)
    assert caught.value.code is Code.CONFIG_INVALID


WITHOUT_GRPC = """
import sys
from pathlib import Path
sys.modules["grpc"] = None
from endcap.engines.adapters.spark_session import open_session
try:
    open_session(sys.argv[1], memory_limit="1GB", threads=0, scratch=Path("."))
except Exception as error:
    print(type(error).__name__, error)
"""


def test_spark_connect_without_its_packages_is_told_with_how_to_get_them(tmp_path):
    script = tmp_path / "open.py"  # a file: PySpark takes a script of `python -c` for a doctest, and ends it
    script.write_text(WITHOUT_GRPC)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"sc://127.0.0.1:{server.getsockname()[1]}"
        told = subprocess.run([sys.executable, script, url], capture_output=True, text=True, check=True).stdout
    assert told.startswith("ConfigError Spark Connect cannot be loaded: ")
    assert "[engine-missing]" in told
    assert "pip install 'endcap[spark]'" in told
