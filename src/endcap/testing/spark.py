"""Spark as a cluster of this machine: a master with its workers, or a Spark Connect server, from PySpark's own jars."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from endcap.serving.process import free_port

__all__ = ["CHEAP_JAVA", "Cluster", "connect_server", "is_installed", "standalone"]

_START_S = 60.0


CHEAP_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""For JAVA_TOOL_OPTIONS: a Java that starts quickly and has few threads, where several share two cores."""


@dataclass(frozen=True)
class Cluster:
    """A standalone cluster of this machine.

    Args:
        url: Of the master.
        workers: Process group of each worker, with its executors.
    """

    url: str
    workers: Sequence[int]


def is_installed() -> bool:
    """Say whether there are PySpark and a Java."""
    return find_spec("pyspark") is not None and shutil.which("java") is not None


@contextmanager
def standalone(folder: Path, *, workers: int) -> Iterator[Cluster]:
    """Run a standalone master on loopback with workers of one core each, for the length of the block.

    Args:
        folder: For what the workers keep, and the logs.
        workers: How many; 0 for a master alone.
    """
    port = free_port("127.0.0.1", 0)
    url = f"spark://127.0.0.1:{port}"
    with ExitStack() as stack:
        master = ("org.apache.spark.deploy.master.Master", "--port", str(port))
        stack.enter_context(_daemon(folder, "master", *master, said="New state: ALIVE"))
        groups = []
        for number in range(workers):
            name = f"worker-{number}"
            worker = ("org.apache.spark.deploy.worker.Worker", "--cores", "1", "--memory", "1g")
            place = ("-d", str(folder / name), url)
            daemon = _daemon(folder, name, *worker, *place, said="Successfully registered with master")
            groups.append(stack.enter_context(daemon))
        yield Cluster(url, groups)


@contextmanager
def connect_server(folder: Path) -> Iterator[str]:
    """Run a Spark Connect server on loopback for the length of the block; yield its URL."""
    port = free_port("127.0.0.1", 0)
    settings = {
        "spark.master": "local[2]",
        "spark.connect.grpc.binding.port": str(port),
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.ui.enabled": "false",
        "spark.local.dir": str(folder),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
    }
    told = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    server = (
        "org.apache.spark.deploy.SparkSubmit",
        "--class",
        "org.apache.spark.sql.connect.service.SparkConnectServer",
    )
    with _daemon(folder, "connect", *server, *told, "spark-internal", said="Spark Connect server started"):
        yield f"sc://127.0.0.1:{port}"


@contextmanager
def _daemon(folder: Path, name: str, main: str, *words: str, said: str) -> Iterator[int]:
    """Run a class of Spark's until the block ends, once it has said that it is there; yield its process group."""
    import pyspark  # noqa: PLC0415 - an extra

    home = Path(pyspark.__file__).parent
    log = folder / f"{name}.log"
    folder.mkdir(parents=True, exist_ok=True)
    bound = ("--host", "127.0.0.1", "--webui-port", "0") if ".deploy.SparkSubmit" not in main else ()
    memory = "256m" if bound else "1g"
    environment = os.environ | {
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": memory,
        "JAVA_TOOL_OPTIONS": CHEAP_JAVA,
    }
    with log.open("w") as told:
        # A group of its own: a worker's executors go with it.
        process = subprocess.Popen(  # noqa: S603 - our own command
            [str(home / "bin" / "spark-class"), main, *bound, *words],
            stdout=told, stderr=told, env=environment, start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + _START_S
        while said not in (text := log.read_text(errors="replace")):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"Spark's {name} did not start: {text[-2000:]}")
            time.sleep(0.1)
        yield process.pid
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
