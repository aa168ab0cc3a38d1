"""Tiny shops for runs with faults: one that is refreshed for the first time, one with days to be done again."""

import os
from collections.abc import Callable
from pathlib import Path

from endcap.cli.main import main
from endcap.core.errors import SourceError
from endcap.flows.init import init_shop
from endcap.flows.refresh import refresh
from endcap.flows.shop import USER_KEY_VARIABLE
from endcap.testing.fault_runs import BUCKET, Scene
from endcap.testing.forked import run_forked

__all__ = ["SAME_FOR_ALL", "make_scene"]

SAME_FOR_ALL = {USER_KEY_VARIABLE: "5e" * 32, "ENDCAP__MODELS__TRAIN": '["popular"]'}
"""What whoever runs scenes has in the environment: all shops then hash alike, and their rows can be compared."""

_DAYS = ("2026-01-03", "2026-01-06")
_CHANGE = "2026-01-04"
_MAPPING = 'columns = { user_pseudo_id = "pseudo_user_id" }'


def make_scene(folder: Path, *, is_backfill: bool, far: str = "") -> Scene:
    """Make a shop; this process stays free of threads, so that it can be forked.

    Args:
        folder: Where it is made, in a folder of its own; its name is the prefix in the bucket.
        is_backfill: A shop that was refreshed as far as its files could be read, and has a new mapping since; otherwise
            one that was never refreshed.
        far: Endpoint of the object store in whose bucket it lies; "" for local files.
    """
    os.environ |= SAME_FOR_ALL
    shop = folder / "tiny"
    _forked(lambda: _init(folder / "world", shop, is_backfill=is_backfill))
    if far:
        _replace(shop, "\n[stores]\n", f"\n[stores]\nlake = 's3://{BUCKET}/{folder.name}/lake'\n"
                 f"bundles = 's3://{BUCKET}/{folder.name}/bundles'\nendpoint = '{far}'\n")  # fmt: skip
    if is_backfill:
        _forked(lambda: _refresh(shop))
        _replace(shop, "# columns = {}", _MAPPING)
    return Scene(shop, _DAYS if is_backfill else (), far)


def _init(world: Path, shop: Path, *, is_backfill: bool) -> None:
    told = ["--days", "6", "--visitors", "14"] if is_backfill else ["--days", "2", "--visitors", "12"]
    broken = ["--faults", f"schema_change={_CHANGE}"] if is_backfill else []
    if main(["simulate", str(world), "--items", "20", *told, *broken]):
        raise RuntimeError("the export could not be simulated")
    init_shop(shop, source=world / "export")


def _refresh(shop: Path) -> None:
    try:
        refresh(shop)
    except SourceError:  # of the days that wait for a mapping; all else is done
        return


def _replace(shop: Path, old: str, new: str) -> None:
    path = shop / "endcap.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def _forked(work: Callable[[], None]) -> None:
    def done() -> int:
        work()
        return 0

    code, _ = run_forked(done)
    if code:
        raise RuntimeError(f"the shop could not be made: {code}")
