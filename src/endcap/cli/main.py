"""The command `endcap`: finds the verb, runs it, and tells errors as people can use them."""

import gc
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from tempfile import gettempdir

from cyclopts import App, CycloptsError

from endcap.core.errors import EndcapError
from endcap.core.version import __version__
from endcap.governance.logging import configure_logging

__all__ = ["VERBS", "main", "make_app"]

VERBS = {
    "init": "endcap.cli.init:init",
    "demo": "endcap.cli.demo:demo",
    "simulate": "endcap.cli.simulate:simulate_verb",
    "refresh": "endcap.cli.refresh:refresh",
    "ingest": "endcap.cli.ingest:ingest",
    "sessionize": "endcap.cli.sessionize:sessionize",
    "featurize": "endcap.cli.featurize:featurize",
    "train": "endcap.cli.train:train",
    "index": "endcap.cli.index:index",
    "evaluate": "endcap.cli.evaluate:evaluate",
    "compare": "endcap.cli.compare:compare_verb",
    "serve": "endcap.cli.serve:serve_verb",
    "recommend": "endcap.cli.recommend:recommend",
    "show": "endcap.cli.show:show",
}
"""Each verb and the function behind it; loaded when it is asked for."""


def make_app() -> App:
    """Return the command with all its verbs."""
    app = App(
        name="endcap",
        help="Raw shop events in, recommendations out that are fresh, measured and safe.",
        version=__version__,
        result_action="return_value",
    )
    for verb, place in VERBS.items():
        app.command(place, name=verb)
    return app


def main(words: Sequence[str] | None = None) -> int:
    """Run one command and tell its error, if it has one, as people can use it.

    Args:
        words: What was typed after `endcap`; taken from the process by default.

    Returns:
        The exit code.
    """
    configure_logging(json=False, level="warning")  # to stderr: what a command prints is its result alone
    if words is None:
        _collect_seldom()
    try:
        result = make_app()(words, exit_on_error=False)
    except CycloptsError:
        return 2  # cyclopts has told what is wrong
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    except Exception as error:  # noqa: BLE001 - the last line of defence: a user sees no traceback
        return _tell(error)
    return result if isinstance(result, int) else 0


def _collect_seldom() -> None:
    """Have this process's garbage looked for seldom.

    Table expressions are millions of short-lived objects: at Python's own thresholds, looking for circles among them
    was a quarter of a small refresh (9.3 instead of 6.7 CPU seconds on 2026-11-23). Freezing once more at the end would
    save another second, but then DuckDB reports all that it finds alive as leaked.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _tell(error: Exception) -> int:
    """Tell an error in at most three lines and return the exit code."""
    if isinstance(error, EndcapError):
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if isinstance(error, BrokenPipeError):  # whoever reads our output has seen enough
        sys.stderr.close()
        return 0
    if isinstance(error, OSError):
        print(f"error: {error.strerror or error}", file=sys.stderr)
        print(f"  where: {error.filename or 'this machine'}", file=sys.stderr)
        print("  fix: check that the place exists, has room and may be written; then try again", file=sys.stderr)
        return 2
    report = Path(gettempdir()) / "endcap-fault.txt"
    report.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    print(f"error: a fault of Endcap itself ({type(error).__name__})", file=sys.stderr)
    print(f"  where: {report}", file=sys.stderr)
    print("  fix: try again; if it stays, report that file after reading it for private data", file=sys.stderr)
    return 70
