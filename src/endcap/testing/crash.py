"""Killing a refresh at a random moment, and looking whether one more refresh makes the shop whole."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from endcap.testing.content import shop_content

__all__ = ["Crash", "crash_and_refresh", "refresh_in_a_process"]


@dataclass(frozen=True)
class Crash:
    """One killed refresh and what the next one made of it.

    Args:
        killed_after_s: Seconds from the start of the process to the kill.
        was_killed: False where the refresh had ended before its moment came.
        differences: Parts of the shop that are not as in the undisturbed run, with both digests.
    """

    killed_after_s: float
    was_killed: bool
    differences: dict[str, tuple[str | None, str | None]]


def refresh_in_a_process(shop: Path, *, kill_after_s: float | None = None) -> int:
    """Run `endcap refresh` in a process of its own, and kill it with SIGKILL after some seconds.

    Returns:
        The exit code; -9 for a killed process.
    """
    command = [sys.executable, "-m", "endcap", "refresh", str(shop)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # noqa: S603 - our own command
    try:
        process.communicate(timeout=kill_after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    return process.returncode


def crash_and_refresh(
    fresh: Path, place: Path, undisturbed: Mapping[str, str], *, seed: int, longest_s: float
) -> Crash:
    """Copy a shop that was never refreshed, kill its refresh at a random moment, refresh once more and compare.

    Args:
        fresh: The shop.
        place: Folder for the copy.
        undisturbed: Content of the same shop after an undisturbed refresh.
        seed: Chooses the moment.
        longest_s: How long an undisturbed refresh takes: the moment lies between 0 and this.
    """
    shutil.copytree(fresh, place, symlinks=True)
    moment_s = float(np.random.default_rng(seed).uniform(0.0, longest_s))
    began = time.perf_counter()
    code = refresh_in_a_process(place, kill_after_s=moment_s)
    took_s = time.perf_counter() - began
    again = refresh_in_a_process(place)
    content = shop_content(place) if again == 0 else {"refresh": f"ended with {again}"}
    names = sorted({*content, *undisturbed})
    return Crash(
        killed_after_s=round(took_s, 3),
        was_killed=code == -signal.SIGKILL,
        differences={
            name: (undisturbed.get(name), content.get(name))
            for name in names
            if undisturbed.get(name) != content.get(name)
        },
    )
