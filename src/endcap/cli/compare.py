"""`endcap compare`."""

import json
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from endcap.core.errors import Code, UsageError
from endcap.flows.compare import compare
from endcap.flows.compare_report import HTML_FILE, prepare_report, write_report

__all__ = ["compare_verb"]


def compare_verb(  # noqa: PLR0913 - a command has as many arguments as it has choices
    file: Path,
    *,
    user: str,
    item: str,
    time: str,
    session: str | None = None,
    event: str | None = None,
    category: str | None = None,
    segment: str | None = None,
    split: str = "leave_one_out",
    protocol: Literal["next", "session_next", "next_basket"] = "next",
    seen: Literal["keep", "drop"] = "keep",
    models: str = "",
    k: str = "5,10,20",
    seed: int = 17,
    budget: float | None = None,
    out: Path | None = None,
    json_wanted: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """Compare models on any file of user, item and time: the full catalogue is ranked, every figure has its interval.

    Args:
        file: A Parquet or CSV file, one row an event.
        user: Column of the user.
        item: Column of the item.
        time: Column of the time: timestamps, or integers in any order that grows with time.
        session: Column of the session; needed by session_next.
        event: Column that tells views, carts and purchases apart, for models that do.
        category: Column with the category of the row's item, for models that know it and for how varied lists are.
        segment: Column whose values are told apart: measures for each of them.
        split: leave_one_out, or time:DAY (time:NUMBER for integer times): train before it, test from it on.
        protocol: next (a user's next items), session_next (each step of a session to its next different item) or
            next_basket (for orders: all items that a user has at the next instant).
        seen: Whether items that the user has had already may be recommended.
        models: Names of models, with commas between; by default all that are installed. item_markov and popular stand
            in every table.
        k: Lengths of the list at which to measure, with commas between.
        seed: Seed of every draw.
        budget: Seconds for all of it; models that would not fit are not started, and said to be.
        out: A folder for the report: report.md, report.html, figures, compare.json.
        json_wanted: Print one JSON object and nothing else.
    """
    if out is not None:
        prepare_report(out)
    result = compare(
        file,
        user=user,
        item=item,
        time=time,
        session=session,
        event=event,
        category=category,
        segment=segment,
        split=split,
        protocol=protocol,
        seen=seen,
        models=tuple(name for name in models.replace(" ", "").split(",") if name),
        ks=_numbers(k),
        seed=seed,
        budget_s=budget,
    )
    if out is not None:
        write_report(result, out)
    if json_wanted:
        print(json.dumps(result.to_plain()))
        return
    print(result.text())
    if out is not None:
        print(f"report: {out / HTML_FILE}")


def _numbers(text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise UsageError(f"'{text}' is no list of lengths", where="--k", fix="write it as 5,10,20", code=Code.USAGE)
    return numbers
