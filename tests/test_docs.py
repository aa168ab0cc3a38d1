"""The blocks of README.md and docs/tutorial.md, run as a reader would run them, one after the other."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from endcap.serving.process import free_port
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(sh|python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MAKE_TARGET = re.compile(r"^make ([a-z]+)", re.MULTILINE)

needs_curl = pytest.mark.skipif(
    shutil.which("curl") is None and "CI" not in os.environ, reason="the docs ask the server with curl"
)


class Reader:
    """Somebody who types what a page says, in an empty folder."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port("127.0.0.1", 0)
        self.printed = ""
        self.server = None
        self.environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def read(self, page):
        for language, text in BLOCK.findall(page.read_text(encoding="utf-8")):
            getattr(self, language)(text)

    def sh(self, text):
        self.printed = ""
        for line in text.replace("\\\n", " ").replace("localhost:8000", f"127.0.0.1:{self.port}").splitlines():
            if line.startswith("endcap serve"):
                self.serve(line)
            elif not line.startswith("make "):  # CI runs these from a fresh clone
                self.printed += self.run(["bash", "-euo", "pipefail", "-c", line])

    def run(self, command):
        ended = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, f"{command[-1]}\n{ended.stderr}"
        return ended.stdout

    def serve(self, line):
        words = line.split("#")[0].replace("--port 8000", f"--port {self.port}").split()
        command = [str(Path(sys.executable).with_name("endcap")), *words[1:]]
        self.server = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, text=True)
        assert self.server.stdout.readline().startswith("listening on")
        until = time.monotonic() + 60
        while time.monotonic() < until and self.server.poll() is None:
            with contextlib.suppress(OSError):
                return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=5).close()
        raise AssertionError("the server did not come up")

    def python(self, text):
        self.printed = self.run([sys.executable, "-c", text])

    def text(self, text):
        """Find every line of the page in what was printed last."""
        for line in text.splitlines():
            assert line.strip() in self.printed, f"the page says\n{line}\nand this was printed\n{self.printed}"

    def leave(self):
        if self.server is not None:
            self.server.send_signal(signal.SIGTERM)
            self.server.communicate(timeout=30)
            assert self.server.returncode == 0


@pytest.fixture
def reader(tmp_path):
    made = Reader(tmp_path)
    yield made
    made.leave()


@needs_curl
@pytest.mark.slow
def test_the_tutorial_does_and_prints_what_it_says(reader):
    reader.read(ROOT / "docs" / "tutorial.md")


@needs_curl
def test_every_block_of_the_readme_runs(reader):
    simulate(make_world("small", days=4, visitors=80, items=40), reader.folder / "path" / "to", Popular())
    make_clicks(reader)
    reader.read(ROOT / "README.md")
    assert reader.printed.count("\n") == 10  # the last block prints a slate of ten


def make_clicks(reader):
    reader.python(
        "import duckdb\n"
        "duckdb.sql(\"COPY (SELECT 'u' || i % 40 AS user, 'i' || (i % 40 + i // 40) % 9 AS item,"
        " TIMESTAMP '2016-09-13' + INTERVAL (i // 40) HOUR AS time, 's' || i % 40 AS session"
        " FROM range(4000) AS t(i)) TO 'clicks.parquet'\")\n"
    )


def test_the_make_targets_of_the_papers_are_there():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in ("README.md", "CONTRIBUTING.md", "docs/tutorial.md"):
        assert set(MAKE_TARGET.findall((ROOT / page).read_text(encoding="utf-8"))) <= targets


def test_links_of_the_papers_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links {target}"
