"""What every database under the catalog must do: checks to be run over one, SQLite and PostgreSQL among them."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from endcap.core.errors import Code, LedgerError
from endcap.flows.cost import Cost
from endcap.flows.lease import held
from endcap.flows.ledger import AttemptStart, Ledger, Part, Scope
from endcap.governance.audit import AuditRow
from endcap.stores import catalog as tables
from endcap.stores.catalog import Catalog, metadata
from endcap.stores.tables import Fence

__all__ = ["CHECKS"]

Open = Callable[[], Catalog]
"""Opens one and the same empty database, each time on connections of its own."""

_COST = Cost(wall_s=1.0, cpu_s=1.0, peak_rss_bytes=1, bytes_read=1, bytes_written=1)
_ENDING = {"outputs": {}, "rows_in": 1, "rows_out": 1, "detail": {}}
_RUNNERS = 8


def _expect(what: object, wanted: object) -> None:
    if what != wanted:
        raise AssertionError(f"{what!r} in the place of {wanted!r}")


def _ledger(catalog: Catalog) -> Ledger:
    return Ledger(catalog, Scope("local", "tiny", "local"))


def _start(ledger: Ledger, token: int, day: str = "d1") -> int:
    first = AttemptStart("run", "os_user:ann", "ingest", {day: f"mark {token}"}, {}, "c", "d", "0", 0.0)
    return ledger.start(first, Fence(ledger.lease_name("ingest"), token))


def opened_by_many_at_once(open_catalog: Open) -> None:
    """A new database is made once, however many open it at once."""
    with ThreadPoolExecutor(_RUNNERS) as pool:
        for catalog in [each.result() for each in [pool.submit(open_catalog) for _ in range(_RUNNERS)]]:
            catalog.close()


def migrated_down_and_up(open_catalog: Open) -> None:
    """Each migration goes down and up again, and the end is the schema of the code; what a step back keeps stays."""
    catalog = open_catalog()
    _ledger(catalog).settle("kept", "yes")
    config = Config()
    config.set_main_option("script_location", tables.__file__.replace("catalog.py", "migrations"))
    for target, kept in (("0001", "yes"), ("head", "yes"), ("base", None), ("head", None)):
        with catalog.begin() as connection:
            config.attributes["connection"] = connection
            (command.upgrade if target == "head" else command.downgrade)(config, target)
        if target != "base":
            _expect(_ledger(catalog).settled("kept"), kept)
    with catalog.begin() as connection:
        _expect(compare_metadata(MigrationContext.configure(connection), metadata), [])
    catalog.close()


def leased_to_one_at_a_time(open_catalog: Open) -> None:
    """Of many runners one holds a lease, each gets it in the end, and every holder has a greater token."""
    inside, tokens, most = threading.Lock(), [], []

    def runner() -> None:
        catalog = open_catalog()
        with held(catalog, "shop/step", wait_s=None) as mine:
            most.append(inside.acquire(blocking=False))
            tokens.append(mine.fence.token)
            inside.release()
        catalog.close()

    threads = [threading.Thread(target=runner) for _ in range(_RUNNERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _expect(most, [True] * _RUNNERS)
    _expect(tokens, list(range(1, _RUNNERS + 1)))


def beaten_while_held(open_catalog: Open) -> None:
    """A lease lives on by its heartbeat."""
    catalog = open_catalog()
    with held(catalog, "shop/step", wait_s=0, lease_s=0.3):
        first = _expiry(catalog)
        while _expiry(catalog) == first:
            pass
    catalog.close()


def _expiry(catalog: Catalog) -> int:
    with catalog.begin() as connection:
        return int(connection.execute(sa.select(tables.lease.c.expires_at_us)).scalar_one())


def fenced_after_a_takeover(open_catalog: Open) -> None:
    """A runner whose lease was taken over notes nothing."""
    catalog = open_catalog()
    ledger = _ledger(catalog)
    name = ledger.lease_name("ingest")
    ledger.wrote("events", {"d1": Part("x", 3, 0)})
    with held(catalog, name, wait_s=0) as mine:
        late = _start(ledger, mine.fence.token)
        with catalog.begin() as connection:
            connection.execute(sa.update(tables.lease).values(expires_at_us=0))
        with held(catalog, name, wait_s=0) as newer:
            acts: list[Callable[[], None]] = [
                lambda: ledger.writing(late, "events", ["d1"]),
                lambda: ledger.wrote("events", {"d1": Part("late", 9, 9)}, attempt_id=late),
                lambda: ledger.finish(late, output={}, ending=_ENDING, cost=_COST),
                lambda: ledger.check_held(late),
            ]
            for act in acts:
                try:
                    act()
                except LedgerError as error:
                    _expect(error.code, Code.FENCED)
                else:
                    raise AssertionError("a late runner was let in")
            ledger.finish(_start(ledger, newer.fence.token), output={}, ending=_ENDING, cost=_COST)
    _expect(ledger.parts("events"), {"d1": Part("x", 3, 0)})
    _expect([row["outcome"] for row in ledger.attempts()], ["done", "abandoned"])
    catalog.close()


def written_by_many_at_once(open_catalog: Open) -> None:
    """Parts, facts, attempts and audit rows of many at once: none is lost, and the first fact stays."""
    open_catalog().close()

    def runner(number: int) -> None:
        catalog = open_catalog()
        ledger = _ledger(catalog)
        ledger.settle("key", "one")
        attempt = _start(ledger, 1, f"d{number}")
        ledger.writing(attempt, "events", [f"d{number}", "all"])
        ledger.wrote("events", {f"d{number}": Part("x", number, 0), "all": Part("y", 1, 0)}, attempt_id=attempt)
        ledger.finish(attempt, output={}, ending=_ENDING, cost=_COST)
        ledger.sources.keep_files([])
        ledger.audit.append(AuditRow(at_us=1, actor="a", action="b", resource="c", outcome="allowed", organisation="o",
                               project="p", region="r"))  # fmt: skip
        catalog.close()

    with ThreadPoolExecutor(_RUNNERS) as pool:
        list(pool.map(runner, range(_RUNNERS)))
    catalog = open_catalog()
    ledger = _ledger(catalog)
    _expect(sorted(ledger.parts("events")), sorted(["all", *(f"d{number}" for number in range(_RUNNERS))]))
    _expect(sorted(ledger.fingerprints("ingest")), [f"d{number}" for number in range(_RUNNERS)])
    _expect((len(ledger.attempts()), len(ledger.audit.rows()), ledger.settled("key")), (_RUNNERS, _RUNNERS, "one"))
    catalog.close()


def tells_who_writes(open_catalog: Open) -> None:
    """Who writes a table is known while its lease is held, and no longer."""
    catalog = open_catalog()
    ledger = _ledger(catalog)
    with held(catalog, ledger.lease_name("ingest"), wait_s=0) as mine:
        _expect(ledger.writer_of("events"), "")
        ledger.writing(_start(ledger, mine.fence.token), "events", ["d1"])
        _expect(ledger.writer_of("events") != "", wanted=True)
    _expect(ledger.writer_of("events"), "")
    catalog.close()


CHECKS: tuple[Callable[[Open], None], ...] = (
    opened_by_many_at_once,
    migrated_down_and_up,
    leased_to_one_at_a_time,
    beaten_while_held,
    fenced_after_a_takeover,
    written_by_many_at_once,
    tells_who_writes,
)
"""The whole suite; each check is given an empty database."""
