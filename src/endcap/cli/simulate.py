"""`endcap simulate`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Annotated

from cyclopts import Parameter

from endcap.cli.progress import lines_told
from endcap.cli.server_process import server_process
from endcap.cli.table import table
from endcap.core.clock import days_between, next_day, system_clock
from endcap.core.errors import Code, UsageError, near
from endcap.flows.shop import find_shop
from endcap.flows.stand_in import stand_in
from endcap.flows.wiring.stores import pull_bundle
from endcap.governance.access import Action, Resource, local_actor, require
from endcap.governance.audit import KeptInMemory
from endcap.simulation.catalogue import make_catalogue
from endcap.simulation.faults.choice import Faults, parse_faults
from endcap.simulation.faults.schema_change import RENAMED
from endcap.simulation.formats import Format
from endcap.simulation.ga4 import NAMES
from endcap.simulation.policies import Policy, Popular, Random
from endcap.simulation.server_policy import ServerPolicy
from endcap.simulation.settings import World, make_world, planted_shock
from endcap.simulation.shop import Simulated, check_asked, simulate

__all__ = ["make_export", "simulate_verb"]

_POLICIES: dict[str, Callable[[], Policy]] = {"popular": Popular, "random": Random}
_FEW_EMPTY = 0.01  # places: what is sold out since the bundle was made


def simulate_verb(  # noqa: PLR0913 - a command has as many arguments as it has choices
    out: Path,
    *,
    preset: str = "small",
    days: int | None = None,
    visitors: int | None = None,
    items: int | None = None,
    scale: float = 1.0,
    seed: int | None = None,
    start: str | None = None,
    policy: str = "popular",
    form: Annotated[Format, Parameter(name="--format")] = "ga4",
    faults: Annotated[tuple[str, ...] | None, Parameter(consume_multiple=True, negative=())] = None,
    workers: int = 1,
) -> None:
    """Write the export of a simulated shop, and beside it the truth that no shop knows.

    The same arguments write the same bytes, but for lists that a server fills: it may answer otherwise another time.
    A simulation that was stopped goes on where it was.

    Args:
        out: Folder to make: `export`, what a shop hands over, and `truth`.
        preset: small (a lively shop, some seconds), stationary (without memory: a policy's value has a closed form),
            retailrocket or otto (of the size and rates of these logs).
        days: How many days; what is not given is as the preset has it.
        visitors: How many visitors.
        items: How many items.
        scale: Factor on the preset's visitors and items.
        seed: Of all that is drawn.
        start: First day, YYYY-MM-DD.
        policy: Who fills the lists: popular, random, the folder of a shop (a stand-in with its bundle in force is
            served meanwhile; the shop itself learns nothing of it), or the address of a running server,
            http://HOST:PORT, which takes the visitors for real ones. Its shop should sell the same items.
        form: Format of the events: ga4, ga4-json, segment, snowplow, vertex, csv or personalize.
        faults: What goes wrong: all, or some of duplicates, late=0.05, out_of_order, clock_skew, missing_fields,
            schema_change=2026-01-20, malformed, missing_day=2026-01-09 and drift_shock.
        workers: Processes, 1 to 256; a world of few visitors needs only one.
    """
    world = make_world(preset, scale=scale, days=days, visitors=visitors, items=items, seed=seed, start=start)
    world, words = planted_shock(world, faults or ())
    wanted = _faults(words, world)
    with lines_told() as tell:
        made = make_export(out, world, policy=policy, form=form, faults=wanted, workers=workers, tell=tell)
    print(_told(made, out, policy))
    if world.shock_day:
        print(f"drift shock: on {world.shock_day} {world.shock_share:.0%} of the tastes are drawn anew")
    print(f"next: endcap init my-shop --source {quote(str(out / 'export'))}")
    if wanted and wanted.schema_change:
        print(
            f"from {wanted.schema_change} on a column has another name: under [events.reader] of its endcap.toml, set"
        )
        print("  columns = { " + ", ".join(f'{name} = "{after}"' for name, after in RENAMED.items()) + " }")


def make_export(  # noqa: PLR0913 - all that a simulation can be asked for
    out: Path,
    world: World,
    *,
    policy: str = "popular",
    form: Format = "ga4",
    faults: Faults | None = None,
    workers: int = 1,
    tell: Callable[[str], None] = lambda _line: None,
) -> Simulated:
    """Simulate a shop for whoever may; there is no shop yet that could keep an audit log.

    Args:
        out: Folder to make.
        world: The world.
        policy: popular, random, the folder of a shop, or the address of a running server.
        form: Format of the events.
        faults: What the export gets wrong.
        workers: Processes, 1..256.
        tell: Called with a line a day.

    Raises:
        UsageError: An argument does not fit, or no server answers at the address.
        EndcapError: The folder holds no shop that can be served.
    """
    require(local_actor(), Action.SHOP_SIMULATE, Resource(name="export"), audit=KeptInMemory(), at_us=system_clock())
    check_asked(form, workers, faults)
    with _opened(policy, world) as fills_lists:
        return simulate(world, out, fills_lists, form=form, workers=workers, faults=faults, tell=tell)


@contextmanager
def _opened(policy: str, world: World) -> Iterator[Policy]:
    """Give the policy that a word names; a shop is served for the length of the block."""
    if policy in _POLICIES:
        yield _POLICIES[policy]()
    elif policy.startswith(("http://", "https://")):
        yield _asking(policy, world, {})
    elif policy and Path(policy).is_dir():
        shop = find_shop(Path(policy))
        pull_bundle(shop)
        bundle = shop.bundle_in_force()
        known_as = {"shop": shop.config.shop.project, "bundle": bundle}
        with stand_in(shop, bundle) as served, server_process(served, of=shop) as address:
            yield _asking(address, world, known_as)
    else:
        raise UsageError(
            f"there is no policy and no folder '{policy}'; {near(policy, _POLICIES)}",
            where="--policy",
            fix=f"use {', '.join(_POLICIES)}, the folder of a shop, or the address of a server, http://HOST:PORT",
            code=Code.USAGE,
        )


def _asking(address: str, world: World, known_as: Mapping[str, str]) -> ServerPolicy:
    """Return the policy of a server that is there and sells what the world has."""
    found = ServerPolicy(address, make_catalogue(world).item_ids, known_as)
    found.check(world.places)
    return found


def _faults(words: Sequence[str], world: World) -> Faults | None:
    last = next_day(world.start, world.days - 1)
    return parse_faults(words, days=days_between(world.start, last)) if words else None


def _told(made: Simulated, out: Path, policy: str) -> str:
    """Return what was made, as people read it."""
    counts = made.counts
    rows = sorted(((name, int(counts[name])) for name in NAMES), key=lambda pair: -pair[1])
    sessions, visitors, clicks = (f"{counts[name]:,.0f}" for name in ("sessions", "visitors", "clicks"))
    expected, bought = (f"{counts[f'expected_{name}']:,.1f}" for name in ("clicks", "purchases"))
    empty = counts["empty_places"] / max(counts["places"], 1)
    lines = [
        table(["event", "before the faults" if made.broken else "events"], rows),
        f"{made.first_day} to {made.last_day}: {sessions} sessions of {visitors} visitors",
        f"lists by {policy}: {clicks} clicks; expected: {expected} clicks, and {bought} purchases of what they led to",
    ]
    if empty > _FEW_EMPTY:
        lines.append(f"{empty:.0%} of the places of lists were left empty: what the server named there is not offered")
    if any(made.broken.values()):
        lines.append("faults: " + ", ".join(f"{rows:,} {name}" for name, rows in made.broken.items() if rows))
    lines += [f"{out / 'export'}: what the shop hands over", f"{out / 'truth'}: what nobody in the shop knows"]
    if not made.is_new:
        lines.append("all of it was there already: nothing was written")
    return "\n".join(lines)
