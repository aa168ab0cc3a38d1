"""Opens the Spark session of an engine: says at once what is missing, and keeps Spark quiet."""

import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from endcap.core.errors import Code, ConfigError, EngineError
from endcap.engines.adapters.spark_workers import require_workers

__all__ = ["first_line", "open_session"]

_JAVA = 17
_LEAST_MB = 512
_REACH_S = 5.0
_LOG4J = Path(__file__).with_name("spark_log4j2.properties")


def open_session(master: str, *, memory_limit: str, threads: int, scratch: Path) -> Any:
    """Start or join a Spark session in UTC, on a master that answers.

    Args:
        master: local[*], local[4], spark://HOST:PORT or sc://HOST:PORT (Spark Connect).
        memory_limit: Memory of the driver, and of each executor of a standalone cluster, as Endcap writes it ("4GB").
        threads: Threads of local[*], and at most so many cores of a cluster; 0 takes all.
        scratch: Folder for what the driver spills.

    Raises:
        ConfigError: No Java, no gRPC for Spark Connect, or the master cannot be reached or named so, or has no workers.
        EngineError: Spark does not start.
    """
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)  # it writes each error's stack trace
    warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas", category=FutureWarning)
    if not re.fullmatch(r"local(\[(\*|\d+)\])?|spark://[^/]+|sc://.+", master):
        raise _no_master(master.partition(";")[0], "is no master that Endcap knows")
    if "token=" in master.lower():  # settings stand in manifests and in what `show` prints
        raise ConfigError(
            f"engine.master holds a token after {master.partition(';')[0]}",
            where="$.engine.master",
            fix="take it out, and put it into the environment as SPARK_CONNECT_AUTHENTICATE_TOKEN",
            code=Code.CONFIG_INVALID,
        )
    if not master.startswith("local"):
        _require_answer(master)
    builder = SparkSession.builder.appName("endcap")
    if master.startswith("sc://"):
        # What is set when a JVM starts is the server's; only what a session may change is set here.
        settings, builder = _SESSION, builder.remote(master)
    else:
        _require_java()
        settings = _SESSION | _of_process(master, memory_limit, threads, scratch)
        builder = builder.master(_with_threads(master, threads))
    for name, value in settings.items():
        builder = builder.config(name, value)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        session = builder.getOrCreate()
    except ImportError as error:
        raise ConfigError(
            f"Spark Connect cannot be loaded: {str(error).splitlines()[0]}",
            where="$.engine.master",
            fix="pip install 'endcap[spark]', which brings what it needs, or name a spark:// master",
            code=Code.ENGINE_MISSING,
        ) from error
    except (PySparkException, Py4JError, OSError) as error:
        raise EngineError(
            f"Spark does not start: {first_line(str(error)) or type(error).__name__}",
            where="$.engine.master",
            fix='see what Spark wrote above; engine.name = "duckdb" needs no Spark',
            code=Code.ENGINE_FAILED,
        ) from error
    if master.startswith("spark://"):
        try:
            require_workers(session, master, memory_limit)
        except ConfigError:
            session.stop()
            raise
    return session


def first_line(text: str) -> str:
    """Return the line that says what happened: Py4J puts one before it that says where."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith("An error occurred while calling")]
    return re.sub(r"^: (\w+\.)+", "", told[0]) if told else ""


_SESSION = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "false",
    "spark.sql.caseSensitive": "true",
    "spark.sql.legacy.sizeOfNull": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # The long expressions of a reader grow beyond 64 kB a method: Spark compiles them in vain.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
    "spark.sql.session.localRelationCacheThreshold": "67108864",
}


def _of_process(master: str, memory_limit: str, threads: int, scratch: Path) -> dict[str, str]:
    """Return what is set when the driver's JVM starts."""
    memory = _java_size(memory_limit)
    if int(memory[:-1]) < _LEAST_MB:
        raise ConfigError(
            f"engine.memory_limit is {memory_limit}, and Spark needs {_LEAST_MB} MB for each process",
            where="$.engine.memory_limit",
            fix='raise it, or set engine.name = "duckdb"',
            code=Code.CONFIG_INVALID,
        )
    settings = {
        "spark.driver.memory": memory,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.local.dir": str(scratch),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.sql.catalogImplementation": "in-memory",
        "spark.log.level": "ERROR",
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile=file:{_LOG4J}",
        "spark.sql.shuffle.partitions": str(max(threads or os.cpu_count() or 1, 2)),
    }
    if master.startswith("local"):
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    else:
        settings |= {"spark.executor.memory": memory, "spark.scheduler.maxRegisteredResourcesWaitingTime": "20s"}
        settings |= {"spark.cores.max": str(threads)} if threads else {}
        hosts = {address.partition(":")[0] for address in master.removeprefix("spark://").split(",")}
        if hosts <= {"127.0.0.1", "localhost"}:
            settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    return settings


def _with_threads(master: str, threads: int) -> str:
    return f"local[{threads}]" if threads and master in ("local", "local[*]") else master


def _java_size(memory_limit: str) -> str:
    """Return a size as Java writes it: 4GB -> 4000m (GB as DuckDB counts, in powers of ten)."""
    number, unit = re.fullmatch(r"([0-9.]+)(MB|GB|TB)", memory_limit).groups()  # type: ignore[union-attr]
    return f"{int(float(number) * {'MB': 1, 'GB': 1000, 'TB': 1_000_000}[unit])}m"


def _require_java() -> None:
    """Refuse to start without a Java that Spark can use: its own message is a stack trace, and late."""
    home = os.environ.get("JAVA_HOME", "")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if java is None:
        raise _no_java(f"there is no java in JAVA_HOME={home}" if home else "there is no java on the PATH")
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603 - found above
    found = re.search(r'version "(\d+)', told)
    if found is None or int(found.group(1)) < _JAVA:
        raise _no_java(f"{java} is Java {found.group(1) if found else 'of an unknown version'}")


def _no_java(what: str) -> ConfigError:
    return ConfigError(
        f"Spark needs Java {_JAVA} or newer: {what}",
        where="$.engine.name",
        fix=f'install it (apt-get install openjdk-{_JAVA}-jre-headless) or set engine.name = "duckdb"',
        code=Code.ENGINE_MISSING,
    )


def _require_answer(master: str) -> None:
    """Refuse a master at which nobody listens: Spark itself tries for a minute.

    Of several (`spark://one:7077,other:7077`, where a second stands by), one that answers is enough.
    """
    refused: list[Exception] = []
    for address in re.split(r"[/;]", master.split("://", 1)[1])[0].split(","):
        host, _, port = address.rpartition(":")
        if not host:
            host, port = address, "15002" if master.startswith("sc://") else "7077"
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_S).close()
        except (OSError, ValueError) as error:
            refused.append(error)
        else:
            return
    raise _no_master(master, f"cannot be reached: {'; '.join(map(str, refused))}") from refused[-1]


def _no_master(master: str, what: str) -> ConfigError:
    return ConfigError(
        f"the Spark master {master} {what}",
        where="$.engine.master",
        fix="start it or correct engine.master: local[*], spark://HOST:7077 or sc://HOST:15002",
        code=Code.ENGINE_UNREACHABLE,
    )
