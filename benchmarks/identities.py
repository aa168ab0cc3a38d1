"""Are devices given to the right people? Against the simulated shop, which knows who was at which device.

`python -m benchmarks.identities [--quick] [--out FILE]` makes a world, and another in which one account holder in ten
uses somebody else's device; takes both in; and asks whose each event without a login is. Truth are the people behind
the cookies. An event counts as one that could be known if its device was ever logged in on, by anybody. `restitched`
is with a backfill through the last day, `forward` without. Figures of bots: visitors flagged by the rules as they are
by default, and by a strict one.
"""

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from benchmarks.report import arguments, report
from endcap.core.ids import user_key
from endcap.core.tables import EVENTS, LOGINS
from endcap.events.bots import find_bots
from endcap.events.identities import as_people, find_identities
from endcap.events.identity_config import BotRules, IdentitiesConfig
from endcap.flows.flow import Flow
from endcap.flows.init import init_shop
from endcap.flows.refresh import refresh
from endcap.flows.shop import USER_KEY_VARIABLE, find_shop
from endcap.flows.wiring.batch import open_flow
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate

_KEY = bytes.fromhex("5e" * 32)
_ONE_IN = 10
_STRICT = BotRules(most_views_without_a_cart=15)


@dataclass(frozen=True)
class _Truth:
    """Who was where.

    Args:
        people: cookie -> customer number or None, of everybody.
        bots: Cookies of bots.
        cookies: 32 hex digits of an event -> the cookie of who sent it, before devices were shared.
    """

    people: dict[str, str | None]
    bots: set[str]
    cookies: dict[str, str]


def main() -> int:
    """Run it; the exit code is 1 when an event went to the wrong person though no device is shared."""
    options = arguments(__doc__)
    os.environ[USER_KEY_VARIABLE] = _KEY.hex()
    size = {"days": 10, "visitors": 2500} if options.quick else {"days": 21, "visitors": 8_000}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = simulate(make_world("small", **size), folder / "world", Popular(), form="csv")
        truth = _truth(folder / "world")
        figures: dict[str, Any] = {**size, "events": len(truth.cookies)}
        figures |= _figures(folder / "alone", made.export, truth, {}, bots=True)
        shared = _shared(truth)
        told = _figures(folder / "shared", made.export, truth, shared, bots=False)
        figures |= {f"shared_{key}": value for key, value in told.items()} | {"shared_devices": len(shared)}
    unmeasured = {key: "nothing to divide by" for key, value in figures.items() if value is None}
    report(
        "identities",
        {key: value for key, value in figures.items() if value is not None},
        options,
        unmeasured=unmeasured,
    )
    exact = ("link_precision", "link_recall", "restitched_precision", "restitched_recall", "forward_precision")
    return 0 if all(figures[name] == 1 for name in exact) else 1


def _truth(world: Path) -> _Truth:
    people, bots = {}, set()
    for path in sorted((world / "truth" / "visitors").glob("*.parquet")):
        for row in pq.read_table(path).to_pylist():
            for cookie in (row["cookie"], row["second_cookie"]):
                if cookie is not None:
                    people[cookie] = row["user_id"]
            if row["is_bot"]:
                bots.add(row["cookie"])
    cookies: dict[str, str] = {}
    for path in sorted((world / "export").glob("events_*.csv")):
        told = _read(path).select(["event_id", "device_id"]).to_pydict()
        cookies |= {
            event.replace("-", ""): cookie for event, cookie in zip(told["event_id"], told["device_id"], strict=True)
        }
    return _Truth(people, bots, cookies)


def _shared(truth: _Truth) -> dict[str, str]:
    """Return cookie -> cookie of the device that is used instead: every tenth account holder uses the next one's."""
    holders = sorted(cookie for cookie, account in truth.people.items() if account)
    return {holders[at]: holders[at + 1] for at in range(0, len(holders) - 1, _ONE_IN)}


def _read(path: Path) -> pa.Table:
    texts = {name: pa.string() for name in pcsv.open_csv(path).schema.names}
    return pcsv.read_csv(path, convert_options=pcsv.ConvertOptions(column_types=texts, strings_can_be_null=True))


def _figures(folder: Path, export: Path, truth: _Truth, shared: dict[str, str], *, bots: bool) -> dict[str, Any]:
    """Take a world in, and compare whose events are with who sent them."""
    (folder / "export").mkdir(parents=True)
    for path in sorted(export.glob("events_*.csv")):
        table = _read(path)
        devices = [shared.get(cookie, cookie) for cookie in table["device_id"].to_pylist()]
        at = table.schema.get_field_index("device_id")
        pcsv.write_csv(table.set_column(at, "device_id", pa.array(devices)), folder / "export" / path.name)
    init_shop(folder / "shop", source=folder / "export", currency="USD")
    told = refresh(folder / "shop", verbs=("ingest",))
    with open_flow(find_shop(folder / "shop"), through=told.through, progress=lambda _: None) as flow:
        days = flow.days(EVENTS)
        figures = _links(flow, truth, shared)
        for name, config in (
            ("forward", IdentitiesConfig()),
            ("restitched", IdentitiesConfig(keep_days=365, restitched_through=days[-1])),
        ):
            figures |= {f"{name}_{key}": value for key, value in _events(flow, config, truth, days).items()}
        if bots:
            for name, rules in (("default", BotRules()), ("strict", _STRICT)):
                figures |= {f"bots_{name}_{key}": value for key, value in _bots(flow, rules, truth).items()}
    return figures


def _keyed(*, user: str | None = None, device: str | None = None) -> str:
    return str(user_key(user_id=user, user_pseudo_id=device, key=_KEY))


def _links(flow: Flow, truth: _Truth, shared: dict[str, str]) -> dict[str, float | None]:
    """Compare which users were seen on which devices with who has them."""
    logins = flow.engine.to_arrow(flow.read(LOGINS).select("device_key", "user_key").distinct())
    found = set(zip(logins["device_key"].to_pylist(), logins["user_key"].to_pylist(), strict=True))
    seen = {device for device, _ in found}
    own = {(shared.get(cookie, cookie), account) for cookie, account in truth.people.items() if account}
    links = {(_keyed(device=cookie), _keyed(user=account)) for cookie, account in own}
    links = {(device, user) for device, user in links if device in seen}
    return {
        "num_links": len(found),
        "link_precision": _ratio(len(found & links), len(found)),
        "link_recall": _ratio(len(found & links), len(links)),
    }


def _events(flow: Flow, config: IdentitiesConfig, truth: _Truth, days: list[str]) -> dict[str, float | None]:
    """Compare whose the events without a login are with who sent them."""
    events, logins = flow.read(EVENTS, days), flow.read(LOGINS)
    identities = flow.engine.materialise(find_identities(events, logins, config, days=days))
    told = as_people(events, identities).select("event_id", "device_key", person="user_key").distinct()
    nameless = events.filter(events.user_key == events.device_key).select("event_id").distinct()
    known = flow.engine.to_arrow(logins.select("device_key").distinct())["device_key"]
    rows = flow.engine.to_arrow(told.semi_join(nameless, "event_id"))
    could_be = pc.is_in(rows["device_key"], value_set=known.combine_chunks())
    keys = {account: _keyed(user=account) for account in set(truth.people.values()) if account}
    num = {"attributed": 0, "right": 0, "could_be": 0}
    columns = (rows["event_id"].to_pylist(), rows["person"].to_pylist(), rows["device_key"].to_pylist())
    for event_id, person, device, could in zip(*columns, could_be.to_pylist(), strict=True):
        account = truth.people[truth.cookies[event_id]]
        is_theirs = account is not None and person == keys[account]
        num["could_be"] += could and account is not None
        num["attributed"] += person != device
        num["right"] += is_theirs
    flow.engine.drop(identities)
    return {
        "num_attributed": num["attributed"],
        "precision": _ratio(num["right"], num["attributed"]),
        "recall": _ratio(num["right"], num["could_be"]),
    }


def _bots(flow: Flow, rules: BotRules, truth: _Truth) -> dict[str, float | None]:
    found = flow.engine.to_arrow(find_bots(flow.read(EVENTS), rules).select("user_key").distinct())
    flagged = set(found["user_key"].to_pylist())
    bots = {_keyed(device=cookie) for cookie in truth.bots & set(truth.cookies.values())}
    return {
        "num_flagged": len(flagged),
        "num_bots": len(bots),
        "precision": _ratio(len(flagged & bots), len(flagged)),
        "recall": _ratio(len(flagged & bots), len(bots)),
    }


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


if __name__ == "__main__":
    sys.exit(main())
