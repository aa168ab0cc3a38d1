"""Running Endcap's commands as a user does."""

import subprocess
import sys

__all__ = ["endcap"]


def endcap(*words: str) -> str:
    """Run a command and return what it prints.

    Raises:
        SystemExit: It ended with another code than 0.
    """
    run = subprocess.run([sys.executable, "-m", "endcap", *words], stdout=subprocess.PIPE, text=True, check=False)
    if run.returncode != 0:
        raise SystemExit(f"endcap {' '.join(words)} ended with {run.returncode}")
    return run.stdout
