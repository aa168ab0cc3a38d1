"""`endcap demo`."""

import json
import os
import shutil
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from endcap.cli.progress import told
from endcap.cli.server_process import server_process
from endcap.cli.simulate import make_export
from endcap.cli.table import table
from endcap.core.currency import amount_text
from endcap.core.errors import Code, UsageError
from endcap.flows.init import init_shop
from endcap.flows.refresh import Refreshed, refresh
from endcap.flows.shop import find_shop
from endcap.flows.shopper import example_session
from endcap.simulation.settings import make_world

__all__ = ["demo"]

_SHOPPER = "demo-shopper"


def demo(
    *,
    shop: Path = Path("demo-shop"),
    data: Path | None = None,
    slate_size: Annotated[int, Parameter(name="--n")] = 5,
) -> None:
    """Show the whole loop: from an export to an answer over HTTP, on a simulated shop or on your own export.

    The last line printed is one JSON object.

    Args:
        shop: Folder of the shop that is made; one that the demo made before is replaced.
        data: Folder of an export; without it a small shop is simulated.
        slate_size: Items to recommend.
    """
    seconds: dict[str, float] = {}
    _clear(shop)
    shop.mkdir(parents=True)
    (shop / ".demo").touch()
    with _timed(seconds, "simulate" if data is None else "look at the export"):
        source = data.resolve() if data else make_export(shop.resolve() / "world", make_world("small")).export
        made = init_shop(shop, source=source)
    print("\n".join(f"found: {line}" for line in made.found))
    with told(quiet=False) as progress:
        result = refresh(shop, progress=progress)
    seconds |= {report.step: report.seconds for report in result.steps}
    evaluation = json.loads((shop / "reports" / "evaluation.json").read_bytes())
    print(f"\nEvaluation\n{(shop / 'reports' / 'evaluation.txt').read_text(encoding='utf-8')}")
    with _timed(seconds, "serve"), server_process(shop) as address:
        slate = _ask_as_a_shopper(shop, address, slate_size)
    print("\nSeconds by step\n" + table(["step", "seconds"], [[step, spent] for step, spent in seconds.items()]))
    print(_next_commands(shop, result.through))
    print(json.dumps(_summary(shop, result, evaluation, slate, seconds)))


def _clear(shop: Path) -> None:
    """Remove what an earlier demo made; never a folder that is anything else."""
    if not shop.exists():
        return
    if not (shop / ".demo").exists() and any(shop.iterdir()):
        raise UsageError(
            "this folder was not made by the demo and is not touched",
            where=str(shop),
            fix="name another one with --shop",
            code=Code.USAGE,
        )
    shutil.rmtree(shop)


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[name] = round(time.perf_counter() - began, 2)


def _ask(address: str, route: str, body: dict[str, Any] | list[dict[str, Any]]) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310 - our own server
        f"{address}{route}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own server
        found: dict[str, Any] = json.loads(answer.read())
    return found


def _ask_as_a_shopper(shop: Path, address: str, slate_size: int) -> dict[str, Any]:
    """Replay a real session under a new cookie, event by event, and print the slate before and after."""
    session = example_session(shop)
    body = {"placement": "home", "user_pseudo_id": _SHOPPER, "n": slate_size}
    before = _ask(address, "/v1/recommend", body)
    events = [
        {"event_name": event_name, "user_pseudo_id": _SHOPPER, "items": [{"item_id": item_id}]}
        for event_name, item_id, _title in session
    ]
    _ask(address, "/v1/events", events)
    slate = _ask(address, "/v1/recommend", body)
    print("\nA shopper comes in; before the first click the slate is")
    print(_slate(before))
    print("\nThe shopper does this, sent to /v1/events")
    print(table(["event", "item", "title"], [list(each) for each in session]))
    print(f"\nand the next answer of /v1/recommend is (recommendation {slate['recommendation_id']})")
    print(_slate(slate))
    return slate


def _slate(slate: dict[str, Any]) -> str:
    rows = [
        [
            item["place"],
            item["title"],
            amount_text(item["price_minor"], item["currency"]),
            item["score"],
            item["source"],
            "; ".join(_reason(reason) for reason in item["reasons"]),
        ]
        for item in slate["items"]
    ]
    return table(["rank", "title", "price", "score", "source", "reason"], rows)


def _reason(reason: dict[str, Any]) -> str:
    because = reason.get("item_id")
    return str(reason["code"]) + (f" {because}" if because else "")


def _next_commands(shop: Path, through: str) -> str:
    return f"""
Try next
  endcap serve {shop} --port 8000
  curl -s localhost:8000/v1/recommend -d '{{"placement": "home", "user_pseudo_id": "you", "n": 5}}'
  endcap refresh {shop} --through {through}   # nothing to do: nothing is written
  endcap show intake {shop}             # what became of every row of the export
  endcap show runs {shop}               # what each step did and cost
  endcap init my-shop --source FOLDER   # your own export
(the command lies in {os.path.relpath(Path(sys.executable).parent)})
"""


def _summary(
    shop: Path, result: Refreshed, evaluation: dict[str, Any], slate: dict[str, Any], seconds: dict[str, float]
) -> dict[str, Any]:
    return {
        "shop": find_shop(shop).config.shop.project,
        "bundle": result.bundle_id,
        "evaluation": evaluation,
        "slate": slate,
        "seconds": seconds,
    }
