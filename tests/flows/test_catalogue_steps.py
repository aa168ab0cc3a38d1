"""On a shop of two days of March, whose feeds and updates are written by hand.

| day | user | does |
| 1   | u1   | views A |
| 2   | u1   | views B, which no feed names |
"""

import pyarrow.parquet as pq
import pytest

from endcap.core.clock import day_start_us, fixed_clock
from endcap.core.errors import Code, DataError, SourceError
from endcap.core.tables import CATALOGUE, EVENTS, ITEM_MENTIONS, ITEMS, QUARANTINE
from endcap.events.items_at import items_at
from endcap.flows.init import init_shop
from endcap.flows.refresh import refresh
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate

LATER = fixed_clock("2026-03-10T12:00:00")
BY_DAY = 'file = ""\nfeeds = "feeds/*.tsv"\nupdates = "stock/*.tsv"'
HEADER = {"feed": "id\ttitle\tprice", "stock": "id\tprice\tavailability"}


@pytest.fixture
def shop(tmp_path, make_hand_made):
    """Make that shop with a catalogue."""

    def make(catalogue='file = "all.tsv"', name="hand", days=(1, 2)):
        lines = {1: "10:00 u1 view_item A", 2: "10:00 u1 view_item B", 3: "10:00 u1 view_item A"}
        root = make_hand_made(tmp_path / name, {f"2026-03-0{day}": lines[day] for day in days})
        with (root / "endcap.toml").open("a") as toml:
            toml.write(f'[events.catalogue]\nkind = "merchant"\n{catalogue}\n')
        return root

    return make


def write(root, name, *lines):
    path = root / "export" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([HEADER["stock" if "stock" in name else "feed"], *lines]) + "\n")


def ingest(root, through="", again=()):
    told = refresh(root, verbs=("ingest",), through=through, again=again, clock=LATER)
    steps = ("ingest", "catalogue", "mentions", "items")
    return [report.step for report in told.steps if report.state == "done" and report.step in steps]


def versions_of(rows_of, root, *names):
    def day(at_us):
        return None if at_us is None else round((at_us - day_start_us("2026-03-01")) / 86_400_000_000) + 1

    return [
        (row["item_id"], day(row["valid_from_us"] or None), day(row["valid_to_us"]), *(row[name] for name in names))
        for row in rows_of(root, ITEMS)
    ]


def test_a_new_price_of_a_feed_without_a_day_holds_from_the_last_day_on(shop, rows_of, flow_of):
    root = shop()
    write(root, "all.tsv", "A\tAn A\t5 USD")
    assert ingest(root, "2026-03-01") == ["ingest", "catalogue", "mentions", "items"]
    write(root, "all.tsv", "A\tAn A\t6 USD", "A\tAgain\t6 USD")
    ingest(root)
    assert versions_of(rows_of, root, "price_minor", "availability") == [
        ("A", None, 2, 500, "in_stock"),
        ("A", 2, None, 600, "in_stock"),
        ("B", None, None, None, "out_of_stock"),
    ]
    assert list(flow_of(root).ledger.parts(CATALOGUE.name)) == ["seen-1970-01-01", "seen-2026-03-02"]
    assert [row["item_id"] for row in rows_of(root, QUARANTINE, ["feed-seen-2026-03-02"])] == ["A"]
    write(root, "all.tsv", "A\tAn A\t6 USD", "A\tAgain\t6 USD")
    assert ingest(root) == []  # only touched


def test_a_feed_that_lost_most_of_its_items_is_refused_and_the_items_in_force_stay(shop, rows_of):
    root = shop()
    write(root, "all.tsv", *[f"{name}\t{name}\t5 USD" for name in "ABCD"])
    ingest(root)
    before = rows_of(root, ITEMS)
    for lines in ((), ("A\tA\t5 USD",)):
        write(root, "all.tsv", *lines)
        with pytest.raises(DataError) as caught:
            ingest(root)
        assert (caught.value.code, "all.tsv" in caught.value.where) == (Code.TOO_MANY_BAD_ROWS, True)
        assert rows_of(root, ITEMS) == before
    assert "--again catalogue" in caught.value.fix
    ingest(root, again=("catalogue",))
    assert {row[0] for row in versions_of(rows_of, root) if row[2] is None} == set("ABCD")
    in_stock = {
        row["item_id"] for row in rows_of(root, ITEMS) if not row["valid_to_us"] and row["availability"] == "in_stock"
    }
    assert in_stock == {"A"}


def test_a_feed_without_a_day_that_is_not_there_is_told(shop):
    with pytest.raises(SourceError) as caught:
        ingest(shop())
    assert caught.value.code is Code.SOURCE_MISSING


def test_feeds_and_updates_taken_in_day_by_day_give_the_items_of_all_at_once(shop, rows_of, flow_of):
    roots = [shop(BY_DAY, "daily"), shop(BY_DAY, "at_once")]
    for root in roots:
        write(root, "feeds/20260301.tsv", "A\tAn A\t5 USD", "C\tA C\t")
        write(root, "feeds/20260302.tsv", "A\tAn A\t5 USD", "C\tA C\t9 USD")
        write(root, "stock/20260302.tsv", "A\t4 USD\tout_of_stock")
    for through in ("2026-03-01", "2026-03-02"):
        ingest(roots[0], through)
    ingest(roots[1])
    assert versions_of(rows_of, roots[0], "price_minor", "availability") == [
        ("A", None, 2, 500, "in_stock"),
        ("A", 2, None, 400, "out_of_stock"),
        ("B", None, None, None, "out_of_stock"),
        ("C", None, 2, None, "in_stock"),
        ("C", 2, None, 900, "in_stock"),
    ]
    for table in (CATALOGUE, ITEM_MENTIONS, ITEMS):
        found, wanted = (flow_of(root).ledger.parts(table.name) for root in roots)
        assert {name: part.digest for name, part in found.items()} == {
            name: part.digest for name, part in wanted.items()
        }
    assert (ingest(roots[0]), ingest(roots[1])) == ([], [])


def test_one_day_more_reads_that_day_alone_a_late_event_its_own_and_a_feed_that_is_gone_stays(
    shop, write_day, flow_of, versions, rows_of
):
    root = shop(BY_DAY)
    write(root, "feeds/20260301.tsv", "A\tAn A\t5 USD")
    write(root, "stock/20260301.tsv", "A\t5 USD\t")
    ingest(root)
    (root / "export" / "feeds" / "20260301.tsv").unlink()
    write_day(root, "2026-03-03", "10:00 u1 view_item A")
    write(root, "feeds/20260303.tsv", "A\tAn A\t5 USD")
    assert ingest(root) == ["ingest", "catalogue", "mentions", "items"]
    done = {attempt["step"]: attempt["partitions"] for attempt in reversed(flow_of(root).ledger.attempts())}
    assert (done["catalogue"], done["mentions"]) == (["2026-03-03"], ["2026-03-03"])
    assert set(flow_of(root).ledger.parts(CATALOGUE.name)) == {"2026-03-01", "2026-03-03"}
    assert versions(root)["items"] == 0  # nothing new was said
    write_day(root, "2026-03-01", "12:00 u2 view_item L", name="late")
    assert ingest(root) == ["ingest", "mentions", "items"]
    done = {attempt["step"]: attempt["partitions"] for attempt in reversed(flow_of(root).ledger.attempts())}
    assert done["mentions"] == ["2026-03-01"]
    assert ("L", None, None) in versions_of(rows_of, root)


def test_through_an_earlier_day_an_item_stays_that_its_sessions_reach_after_midnight(shop, write_day, rows_of):
    root = shop()
    write(root, "all.tsv", "A\tAn A\t5 USD")
    write_day(root, "2026-03-01", "23:55 u1 view_item A")
    write_day(root, "2026-03-02", "00:05 u1 view_item NEW")
    for through in ("", "2026-03-01"):
        ingest(root, through)
        assert "NEW" in {item_id for item_id, *_ in versions_of(rows_of, root)}


def test_globs_that_find_nothing_are_told_the_first_time_and_not_when_files_are_gone(shop):
    root = shop(BY_DAY)
    with pytest.raises(SourceError, match=r"matches 'feeds/\*\.tsv'") as caught:
        ingest(root)
    assert (caught.value.code, caught.value.where) == (Code.SOURCE_MISSING, "events.catalogue.feeds")
    write(root, "feeds/20260301.tsv", "A\tAn A\t5 USD")
    with pytest.raises(SourceError, match=r"matches 'stock/\*\.tsv'"):
        ingest(root)
    write(root, "stock/20260301.tsv", "A\t5 USD\t")
    ingest(root)
    for name in ("feeds", "stock"):
        (root / "export" / name / "20260301.tsv").unlink()
    assert ingest(root) == []


def test_price_and_stock_of_what_is_viewed_are_those_of_its_day_in_the_simulated_shop(tmp_path, flow_of):
    """But in sessions that began on the day before: they keep its prices."""
    world = make_world("small", days=9, visitors=300, items=60)
    export = simulate(world, tmp_path / "world", Popular()).export
    root, clock = tmp_path / "shop", fixed_clock("2026-01-10T06:00:00")
    init_shop(root, source=export, clock=clock)
    refresh(root, verbs=("ingest",), clock=clock)
    flow = flow_of(root)
    events = flow.read(EVENTS, flow.days(EVENTS))
    views = events.filter(events.event_name == "view_item")
    views = views.select("item_id", "at_us", "source_session_id", told_minor=views.price_minor)
    rows = flow.engine.to_arrow(items_at(flow.read(ITEMS), views)).to_pylist()
    own_day = [row for row in rows if int(row["source_session_id"]) // 86_400 == row["at_us"] // 86_400_000_000]
    assert len(own_day) > 1_000
    assert len({(row["item_id"], row["price_minor"]) for row in own_day}) > len({row["item_id"] for row in own_day})
    assert [row for row in own_day if row["price_minor"] != row["told_minor"]] == []
    stocks = pieces_by_morning(tmp_path / "world" / "truth")
    for row in rows:
        is_there = stocks[row["at_us"] // 86_400_000_000][row["item_id"]] > 0
        assert row["availability"] == ("in_stock" if is_there else "out_of_stock")


def pieces_by_morning(truth):
    """Day number -> item -> pieces in stock that morning."""
    items = pq.read_table(truth / "catalogue.parquet")["item_id"].to_pylist()
    found = {}
    for path in sorted((truth / "mornings").glob("*.parquet")):
        name = path.stem[-8:]
        number = day_start_us(f"{name[:4]}-{name[4:6]}-{name[6:]}") // 86_400_000_000
        found[number] = dict(zip(items, pq.read_table(path)["pieces"].to_pylist(), strict=True))
    return found
