"""The one line that every benchmark ends with."""

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from endcap.core.clock import day_of, system_clock

__all__ = ["arguments", "report"]

_NAMED = ("duckdb", "deltalake", "ibis-framework", "numpy", "pyarrow", "torch", "faiss-cpu", "litestar", "granian")


def arguments(about: str) -> argparse.Namespace:
    """Read `--quick` and `--out`."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--quick", action="store_true", help="smaller input, at most 10 minutes on 2 cores")
    parser.add_argument("--out", type=Path, help="file for the JSON object, besides the last line of stdout")
    return parser.parse_args()


def report(
    name: str, figures: Mapping[str, Any], options: argparse.Namespace, *, unmeasured: Mapping[str, str] | None = None
) -> None:
    """Print the JSON object of a benchmark as the last line."""
    line = json.dumps(
        {
            "name": name,
            "quick": options.quick,
            "figures": dict(figures),
            "unmeasured": dict(unmeasured or {}),
            "machine": {
                "cores": os.cpu_count(),
                "load": os.getloadavg()[0],
                "system": f"{platform.system()} {platform.machine()}",
            },
            "versions": {"python": platform.python_version(), **_versions()},
            "commit": _commit(),
            "date": day_of(system_clock()),
        }
    )
    if options.out:
        options.out.write_text(line + "\n", encoding="utf-8")
    print(line)


def _versions() -> dict[str, str]:
    """Return the versions of what is installed: a machine with an accelerator may have torch and numpy alone."""
    found = {}
    for name in _NAMED:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _commit() -> str:
    told = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return told.stdout.strip() or "unknown"
