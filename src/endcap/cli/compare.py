"""`endcap compare`."""

import json
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from endcap.core.errors import Code, UsageError
from endcap.flows.compare import compare

__all__ = ["compare_verb"]


def compare_verb(  # noqa: PLR0913 - a command has as many arguments as it has choices
    file: Path,
    *,
    user: str,
    item: str,
    time: str,
    session: str | None = None,
    event: str | None = None,
    split: str = "leave_one_out",
    protocol: Literal["next", "session_next"] = "next",
    seen: Literal["keep", "drop"] = "keep",
    models: str = "popular,item_markov,two_tower",
    k: str = "5,10,20",
    seed: int = 17,
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
        split: leave_one_out, or time:DAY (time:NUMBER for integer times): train before it, test from it on.
        protocol: next (a user's next items) or session_next (each step of a session to its next different item).
        seen: Whether items that the user has had already may be recommended.
        models: Names of models, with commas between; item_markov and popular stand in every table.
        k: Lengths of the list at which to measure, with commas between.
        seed: Seed of every draw.
        json_wanted: Print one JSON object and nothing else.
    """
    result = compare(
        file,
        user=user,
        item=item,
        time=time,
        session=session,
        event=event,
        split=split,
        protocol=protocol,
        seen=seen,
        models=tuple(name for name in models.replace(" ", "").split(",") if name),
        ks=_numbers(k),
        seed=seed,
    )
    print(json.dumps(result.to_plain()) if json_wanted else result.text())


def _numbers(text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise UsageError(f"'{text}' is no list of lengths", where="--k", fix="write it as 5,10,20", code=Code.USAGE)
    return numbers
