"""The command `endcap`: finds the verb, runs it, and tells errors as people can use them."""

import gc
import os
import sys
import traceback
from collections.abc import Sequence
from tempfile import mkstemp

from cyclopts import App, CycloptsError

from endcap.core.errors import EndcapError
from endcap.core.version import __version__
from endcap.governance.audit import without_people
from endcap.governance.logging import configure_logging
from endcap.stores.local_files import disk_full, is_disk_full

__all__ = ["VERBS", "main", "make_app"]

VERBS = {
    "init": ("endcap.cli.init:init", "Make a shop from an export."),
    "demo": ("endcap.cli.demo:demo", "Show the whole loop, from an export to an answer over HTTP."),
    "simulate": ("endcap.cli.simulate:simulate_verb", "Write the export of a simulated shop."),
    "refresh": ("endcap.cli.refresh:refresh", "Bring a shop up to date: all of the steps below, in order."),
    "backfill": ("endcap.cli.backfill:backfill_verb", "Do days of the past again, and measure what comes of it."),
    "promote": ("endcap.cli.promote:promote_verb", "Put a bundle in force that is there."),
    "ingest": ("endcap.cli.ingest:ingest", "Events, items and slates from the export and the server's logs."),
    "sessionize": ("endcap.cli.sessionize:sessionize", "Sessions, and what was shown and clicked."),
    "featurize": ("endcap.cli.featurize:featurize", "Features as of each day, sequences, examples with negatives."),
    "train": ("endcap.cli.train:train", "Fit the models of endcap.toml."),
    "index": ("endcap.cli.index:index", "Indexes over item vectors, with a recall report."),
    "evaluate": ("endcap.cli.evaluate:evaluate", "Measure every model on the last days, and print the table."),
    "compact": ("endcap.cli.compact:compact", "Put small files together, remove what nobody can go back to."),
    "leakage": ("endcap.cli.leakage:leakage", "Look for what peeks: in a shop, or in any training frame."),
    "compare": ("endcap.cli.compare:compare_verb", "Compare models on any file of user, item and time."),
    "serve": ("endcap.cli.serve:serve_verb", "Serve recommendations over HTTP."),
    "identify": ("endcap.cli.identify:identify", "Tell whose a keyed hash is, or which one a customer has."),
    "recommend": ("endcap.cli.recommend:recommend", "Recommend without a server."),
    "show": ("endcap.cli.show:show", "Show the bundle, runs, intake, reports and the audit log."),
}
"""Each verb with the function behind it, which is loaded when it is asked for, and a line for the list of verbs."""


def make_app(*, is_list: bool = False) -> App:
    """Return the command with all its verbs.

    Args:
        is_list: Each verb has its line for the list of verbs, in the place of the page that its function tells.
    """
    app = App(
        name="endcap",
        help="Raw shop events in, recommendations out that are fresh, measured and safe.",
        version=__version__,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for verb, (place, line) in VERBS.items():
        app.command(place, name=verb, **({"help": line} if is_list else {}))
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
        asked = sys.argv[1:] if words is None else list(words)
        result = make_app(is_list=not VERBS.keys() & asked[:1])(words, exit_on_error=False)
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
    if not isinstance(error, EndcapError) and is_disk_full(error):
        error = disk_full(error, where="this machine")
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
    handle, report = mkstemp(prefix="endcap-fault-", suffix=".txt")  # of a new name, for its owner alone
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(without_people("".join(traceback.format_exception(error))))
    print(f"error: a fault of Endcap itself ({type(error).__name__})", file=sys.stderr)
    print(f"  where: {report}", file=sys.stderr)
    print("  fix: try again; if it stays, report that file after reading it for private data", file=sys.stderr)
    return 70
