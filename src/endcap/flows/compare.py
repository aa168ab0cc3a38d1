"""Compare models on any file of interactions: a data scientist's first hour, without a shop.

Splits and protocols are those of `models.protocols`; ranking is always over all items of the file.
"""

from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

from endcap.core.clock import Clock, day_start_us, steady_clock, system_clock
from endcap.core.errors import Code, DataError, UsageError, near
from endcap.flows.comparison import Comparison
from endcap.flows.interactions import Interactions, read_interactions
from endcap.governance.access import Action, Resource, local_actor, require
from endcap.governance.audit import KeptInMemory
from endcap.models.budget import Budget
from endcap.models.evaluate import REFERENCES, Asking, evaluate, parts_of
from endcap.models.evaluation import Evaluation
from endcap.models.next_basket import BasketSplit
from endcap.models.protocols import Split
from endcap.models.registry import algorithm, algorithm_names

__all__ = ["Asked", "Seen", "compare"]

Asked = Literal["next", "session_next", "next_basket"]
Seen = Literal["keep", "drop"]

_RESAMPLES = 200

_OFTEN = {"length": 1000, "decay": 1.0}
_MEMBERS = ("recent", *(("als",) if find_spec("implicit") else ()), "item_markov")
_FOR_BASKETS: dict[str, dict[str, Any]] = {
    "recent": _OFTEN,
    "blend": {"ask": "next_basket", "members": _MEMBERS, "settings": {"recent": _OFTEN}},
}
"""Settings where baskets are asked: what a customer has most often comes first, the strongest of plain answers there
(Li et al. 2023, "A Next Basket Recommendation Reality Check"), and a blend is chosen by what it will be asked."""


def compare(  # noqa: PLR0913 - the command's options, each by name
    file: Path | str,
    *,
    user: str,
    item: str,
    time: str,
    session: str | None = None,
    event: str | None = None,
    category: str | None = None,
    segment: str | None = None,
    split: str = "leave_one_out",
    protocol: Asked = "next",
    seen: Seen = "keep",
    models: tuple[str, ...] = (),
    ks: tuple[int, ...] = (5, 10, 20),
    seed: int = 17,
    budget_s: float | None = None,
    clock: Clock = steady_clock,
) -> Comparison:
    """Fit models on the early part of a file and measure them on the late part.

    Args:
        file: Parquet or CSV, one interaction a row.
        user: Column of users.
        item: Column of items.
        time: Column of instants: timestamps, dates, or integers that grow with time.
        session: Column of sessions; needed for session_next.
        event: Column that tells views, carts and purchases apart, for models that do.
        category: Column with the category of the row's item, for models that know it and for the diversity of lists.
        segment: Column whose values become slices: measures for each of them.
        split: `leave_one_out` (each user's last item is asked), `time:2016-09-15` (the first UTC day of the test) or
            `time:1234` (in the column's own integers).
        protocol: `next` asks for a user's next item; `session_next` for the next different item of a session;
            `next_basket` for all items that a user has at the next instant, as the lines of an order are told.
        seen: Whether items of the history stay candidates.
        models: Names of algorithms; item_markov and popular stand in every table and need not be named. None named:
            all that are installed, with their settings as they are (of baskets: `_FOR_BASKETS`): nothing is chosen by
            the cases.
        ks: Lengths of lists.
        seed: Of fitting and of the bootstrap.
        budget_s: Seconds from now on; models that would not fit are not started, see `models.budget`.
        clock: Tells the seconds.

    Raises:
        UsageError: An argument cannot be understood, or two do not fit.
        SourceError: The file is missing or cannot be read.
        DataError: A column is missing, or the split leaves nothing to learn or nothing to ask.
        ModelError: There is no algorithm of a name, or one that was named cannot be fitted.
        AccessError: The user of the operating system may not.
    """
    started_us = clock()
    require(local_actor(), Action.MODEL_COMPARE, Resource(name="file"), audit=KeptInMemory(), at_us=system_clock())
    _check(split, protocol, seen, ks, session)
    if budget_s is not None and not budget_s > 0:
        raise _usage(f"a budget of {budget_s:g} seconds fits nothing", "give seconds above 0, such as 120")
    wanted = models or tuple(algorithm_names())
    settings = _FOR_BASKETS if protocol == "next_basket" else {}
    named = (*wanted, *(name for name in REFERENCES if name not in wanted))
    recipes = {name: algorithm(name, settings.get(name)) for name in named}
    columns = {"session": session, "event": event, "category": category, "segment": segment}
    found = read_interactions(Path(file), user=user, item=item, time=time, **columns)
    split_at = _instant(split, found, time)
    _check_parts(split, parts_of(_protocol(split, protocol), found.sequences, split_at))
    evaluation = evaluate(
        recipes,
        found.sequences,
        found.catalogue,
        protocol=_protocol(split, protocol),
        split_us=split_at,
        ks=tuple(sorted(set(ks))),
        seed=seed,
        resamples=_RESAMPLES,
        seen=seen,
        segment=found.segment,
        may_fail=frozenset() if models else frozenset(wanted) - frozenset(REFERENCES),
        budget=None if budget_s is None else Budget(budget_s, clock, started_us),
        clock=clock,
    )
    asked = {"split": split, "protocol": protocol, "seen": seen, "budget_s": budget_s, **columns}
    return Comparison(evaluation, _told(asked, evaluation), _counts(found, evaluation))


def _check(split: str, protocol: str, seen: str, ks: tuple[int, ...], session: str | None) -> None:
    """Refuse arguments that cannot be understood, before the file is read."""
    if split != "leave_one_out" and not split.startswith("time:"):
        raise _usage(f"the split '{split}' is unknown", "split leave_one_out, time:2016-09-15 or time:<integer>")
    for word, known in ((protocol, get_args(Asked)), (seen, get_args(Seen))):
        if word not in known:
            raise _usage(f"'{word}' is unknown; {near(word, known)}", f"use one of: {', '.join(known)}")
    if not ks or min(ks) < 1:
        raise _usage(f"lists of {', '.join(map(str, ks)) or 'no'} items cannot be measured", "use lengths from 1")
    if protocol != "next" and split == "leave_one_out":
        raise _usage(f"{protocol} needs a split in time", "use split time:DAY, or protocol next")
    if protocol == "next_basket" and session is not None:
        raise _usage("next_basket knows no sessions", "leave out --session, or use protocol session_next")
    if protocol == "session_next" and session is None:
        raise _usage("session_next needs sessions", "name their column with --session, or use protocol next")


def _instant(split: str, found: Interactions, column: str) -> int:
    """Return the split in the steps of the file's instants; leave_one_out needs none."""
    if split == "leave_one_out":
        return 0
    at = split.removeprefix("time:")
    try:
        return int(at)
    except ValueError:
        pass
    try:
        start_us = day_start_us(date.fromisoformat(at).isoformat())
    except ValueError as error:
        raise _usage(f"'{at}' is neither a day nor an integer", "split time:2016-09-15 or time:<integer>") from error
    if found.unit_us == 0:
        raise _usage(
            f"the column '{column}' is an order, not a time, so a day says nothing",
            "split time:<integer> of that order",
        )
    return start_us // found.unit_us


def _protocol(split: str, protocol: Asked) -> Asking:
    if protocol != "next":
        return protocol
    return "leave_one_out" if split == "leave_one_out" else "time"


def _check_parts(split: str, parts: Split | BasketSplit) -> None:
    """Refuse a split that gives numbers about nothing."""
    for count, what in ((len(parts.cases), "ask"), (len(parts.train), "learn")):
        if count == 0:
            raise DataError(
                f"the split {split} leaves nothing to {what}",
                fix="split within the file's time, or use leave_one_out where users have two items or more",
                code=Code.SPLIT_EMPTY,
            )


def _told(asked: dict[str, Any], evaluation: Evaluation) -> dict[str, Any]:
    """Return what stands beside the numbers."""
    is_last = asked["split"] == "leave_one_out"
    return {
        **asked, "ranking": "all items of the file",
        "final_fit": "all but each user's last item (train and validation)" if is_last else "",
        "ks": evaluation.protocol["ks"], "seed": evaluation.protocol["seed"],
        "interval": f"95 %, bootstrap over users, {_RESAMPLES} resamples",
    }  # fmt: skip


def _counts(found: Interactions, evaluation: Evaluation) -> dict[str, int]:
    counts = dict(evaluation.counts)
    return {"rows": found.num_rows, "rows_left_out": found.num_left_out, **counts}


def _usage(what: str, fix: str) -> UsageError:
    return UsageError(what, fix=fix, code=Code.USAGE)
