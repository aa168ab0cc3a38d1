"""`endcap leakage`."""

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from endcap.core.errors import Code, UsageError
from endcap.features.leakage_frame import FrameRoles
from endcap.flows.leakage import leakage_of_file, leakage_of_shop

__all__ = ["leakage"]


def leakage(  # noqa: PLR0913 - a frame has as many columns with a role
    what: Path,
    *,
    label: str = "",
    at: str = "",
    row_id: Annotated[str, Parameter(name="--id")] = "",
    split: str = "",
    known_at: str = "",
    later: Path | None = None,
    json_wanted: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """Look for features that peek, labels that overlap and ids that leak, in a shop or in any training frame.

    `endcap leakage my-shop` makes features, contexts, labels and negatives anew for a sample of users and items, and
    compares. `endcap leakage frame.parquet --label bought --at at_us --id session_id --split 2016-09-15` asks what can
    be asked of a file without knowing how it was made. docs/leakage.md tells what each finding means.

    Args:
        what: A shop's folder, or a Parquet or CSV file with one row an example.
        label: Column of the label; needed for a file.
        at: Column of the instant of each row.
        row_id: Column of what several rows belong to, such as a session or a user.
        split: Column that says `train` or something else, or the first day of the test, YYYY-MM-DD.
        known_at: Column of the instant at which the label was known.
        later: The same rows as they are made today, to see which values have changed since.
        json_wanted: Print one JSON object and nothing else.
    """
    roles = FrameRoles(label=label, at=at, id=row_id, split=split, known_at=known_at)
    is_shop = what.is_dir()
    if is_shop and (any(vars(roles).values()) or later):
        raise UsageError(
            "a shop's tables have their columns; --label, --at, --id, --split, --known-at and --later are for a file",
            where=str(what),
            fix=f"`endcap leakage {what}`, or name a file in its place",
            code=Code.USAGE,
        )
    if not is_shop and not label:
        raise UsageError(
            "a file needs the name of its label",
            where="--label",
            fix=f"`endcap leakage {what} --label COLUMN`, and --at, --id and --split for all that can be asked",
            code=Code.USAGE,
        )
    report = leakage_of_shop(what) if is_shop else leakage_of_file(what, roles, later=later)
    print(json.dumps(report.to_plain()) if json_wanted else report.text())
