"""What all verbs that run steps share: open the shop, run the steps of some verbs, tell how it went."""

import json
from dataclasses import asdict
from datetime import date
from pathlib import Path

from endcap.cli.progress import told
from endcap.core.errors import Code, UsageError
from endcap.flows.flow import StepReport
from endcap.flows.refresh import refresh

__all__ = ["checked_day", "run_verbs"]


def run_verbs(
    shop: Path,
    *,
    verbs: tuple[str, ...] | None,
    through: str,
    json_wanted: bool,
    again: tuple[str, ...] = (),
    is_silent: bool = False,
) -> list[StepReport]:
    """Run the steps of some verbs over a shop and print what came of it.

    Args:
        shop: The shop's folder.
        verbs: The verbs; None for the whole refresh.
        through: Last day, `YYYY-MM-DD`, or "" for the last day that has data.
        json_wanted: Print one JSON object and nothing else.
        again: Steps to be done even if nothing changed.
        is_silent: Print no result: the verb prints its own.

    Raises:
        EndcapError: A step failed.
    """
    if through:
        checked_day(through, where="--through")
    makes_bundle = verbs is None or "bundle" in verbs
    with told(quiet=json_wanted) as progress:
        result = refresh(shop, through=through, verbs=verbs, again=again, progress=progress)
    if is_silent:
        return result.steps
    if json_wanted:
        print(json.dumps({"run_id": result.run_id, "through": result.through, "bundle": result.bundle_id,
                          "held_back": result.held_back,
                          "steps": [asdict(report) for report in result.steps]}))  # fmt: skip
    elif all(report.state == "unchanged" for report in result.steps):
        print(f"nothing to do: everything through {result.through} is up to date")
    elif result.bundle_id and makes_bundle:
        print(f"in force: bundle {result.bundle_id} (through {result.through})")
    if result.held_back and makes_bundle and not json_wanted:
        print(f"made and not in force: bundle {result.held_back}")
        print(f"to put it in force: endcap promote {shop} {result.held_back}")
    return result.steps


def checked_day(text: str, *, where: str) -> str:
    """Return a day as it was typed.

    Raises:
        UsageError: It is none.
    """
    if not _is_day(text):
        raise UsageError(
            f"'{text}' is no day", where=where, fix="write it as YYYY-MM-DD, such as 2016-09-15", code=Code.USAGE
        )
    return text


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
