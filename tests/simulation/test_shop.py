import csv
import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from endcap.core.clock import DAY_US, day_start_us, next_day
from endcap.core.errors import UsageError
from endcap.simulation.catalogue import WEEK_DAYS, make_catalogue
from endcap.simulation.faults.choice import Faults
from endcap.simulation.faults.mend_log import mend_log
from endcap.simulation.ga4 import NAMES
from endcap.simulation.in_memory import live
from endcap.simulation.policies import Popular, Random
from endcap.simulation.settings import make_world
from endcap.simulation.shop import day_alone, simulate
from endcap.simulation.tastes import make_laws, make_tastes


def rows_of(folder):
    return pa.concat_tables(pq.read_table(path) for path in sorted(folder.glob("events_*.parquet"))).to_pylist()


@pytest.fixture(scope="module")
def events(made):
    return rows_of(made.export)


@pytest.mark.parametrize("workers", [2, 9])  # 9: one for each of the three blocks
def test_any_number_of_processes_writes_the_same_bytes(made, lively, bytes_of, tmp_path, workers):
    again = simulate(lively, tmp_path / "shop", Popular(), workers=workers)
    assert bytes_of(again.out) == bytes_of(made.out)


def test_another_seed_and_another_policy_give_another_shop(made, lively, bytes_of, tmp_path):
    for number, (world, policy) in enumerate(((replace(lively, seed=8), Popular()), (lively, Random()))):
        other = simulate(world, tmp_path / str(number), policy)
        assert bytes_of(other.export) != bytes_of(made.export)


@pytest.mark.parametrize("number", [0, 1, 19])
def test_a_day_is_the_same_alone(made, number, lively):
    names = sorted(path.name for path in made.export.glob(f"events_{next_day(lively.start, number).replace('-', '')}*"))
    for name, tables in zip(names, day_alone(lively, Popular(), number), strict=True):
        assert pa.concat_tables(tables).to_pylist() == pq.read_table(made.export / name).to_pylist()


def test_a_day_of_a_world_without_memory_is_the_same_alone(tmp_path):
    """Its refunds are of orders of the two weeks before, of each of these days."""
    world = make_world("stationary", days=18, visitors=1_500, items=30, p_cart=0.5, p_pay=1.0, p_return=0.5, drift=0.1)
    made = simulate(world, tmp_path / "shop", Random())
    [tables] = day_alone(world, Random(), 17)
    rows = pa.concat_tables(tables).to_pylist()
    assert rows == pq.read_table(made.export / "events_20260118.parquet").to_pylist()
    bought = {
        event["ecommerce"]["transaction_id"]: event["event_date"]
        for event in rows_of(made.export)
        if event["event_name"] == "purchase"
    }
    since = {bought[event["ecommerce"]["transaction_id"]] for event in rows if event["event_name"] == "refund"}
    assert since == {f"202601{day:02d}" for day in range(4, 18)}


def test_the_truth_lies_beside_the_export_and_never_in_it(made):
    assert sorted(path.name for path in made.out.iterdir()) == ["export", "truth"]
    assert {path.suffix for path in made.export.rglob("*") if path.is_file()} == {".parquet", ".tsv"}
    assert not any("taste" in line for line in (made.export / "catalog.tsv").read_text().splitlines())


def test_a_feed_and_an_inventory_come_every_day(made, lively):
    for folder, stem in (("feeds", "catalog"), ("inventory", "inventory")):
        assert len(list((made.export / folder).glob(f"{stem}_202601*.tsv"))) == lively.days
    assert (made.export / "catalog.tsv").read_bytes() == (made.export / "feeds/catalog_20260120.tsv").read_bytes()


def test_a_feed_comes_as_often_as_the_world_says_and_inventory_daily(tmp_path):
    world = make_world("small", days=9, visitors=30, items=20, feed_every_days=4)
    made = simulate(world, tmp_path / "shop", Popular())
    feeds = sorted(path.name for path in (made.export / "feeds").iterdir())
    assert feeds == [f"catalog_202601{day}.tsv" for day in ("01", "05", "09")]
    assert len(list((made.export / "inventory").iterdir())) == 9


def test_counts_are_those_of_the_files(made, events):
    counted = Counter(event["event_name"] for event in events)
    assert counted == {name: made.counts[name] for name in NAMES}
    assert 0 <= made.counts["clicks"] - made.counts["select_item"] < 10  # the last midnight's are in no file
    assert abs(made.counts["clicks"] - made.counts["expected_clicks"]) < 4 * np.sqrt(made.counts["expected_clicks"])


def test_lines_of_lists_are_those_whose_item_was_clicked_in_one(made, lively):
    """Counted again from the pages of the truth and the world lived through in memory."""
    paid = refused = lines = 0
    for each in live(lively, Popular()):
        lived = each.lived.made
        led = lived.place[lived.lines.page] >= 0
        paid += int((lived.lines.is_paid & led).sum())
        refused += int((lived.lines.is_refused & led).sum())
        lines += int(lived.lines.is_paid.sum())
    assert (made.counts["paid_lines_of_lists"], made.counts["refused_lines_of_lists"]) == (paid, refused)
    assert 0 < paid < lines == made.counts["paid_lines"]
    pages = [pq.read_table(path).to_pylist() for path in (made.truth / "pages").iterdir()]
    places = sum(len(row["slate"]) for table in pages for row in table if row["is_list"])
    assert (made.counts["places"], made.counts["empty_places"]) == (places, 0)


def test_sessions_cross_midnight_and_their_files(events):
    by_session = {}
    for event in events:
        key = (event["user_pseudo_id"], event["event_params"][0]["value"]["int_value"])
        by_session.setdefault(key, set()).add(event["event_date"])
    assert max(len(days) for days in by_session.values()) == 2


def test_every_event_stands_in_the_file_of_its_utc_day(made):
    for path in made.export.glob("events_*.parquet"):
        day = path.name.split("_")[1].removesuffix(".parquet")
        table = pq.read_table(path)
        dates = {np.datetime64(int(at), "us").astype("datetime64[D]") for at in table["event_timestamp"].to_pylist()}
        assert {str(date).replace("-", "") for date in dates} | set(table["event_date"].to_pylist()) == {day}


def test_nothing_is_sold_that_is_not_there(made, events, lively):
    """Read back: what was paid for on a day is at most what the morning had, as a session belongs to its first day."""
    ids = make_catalogue(lively).item_ids.to_pylist()
    sold = {}
    for event in events:
        if event["event_name"] == "purchase":
            began = np.datetime64(event["event_params"][0]["value"]["int_value"], "s")
            for item in event["items"]:
                key = (str(began.astype("datetime64[D]")), item["item_id"])
                sold[key] = sold.get(key, 0) + item["quantity"]
    assert sum(sold.values()) > 100
    for (day, item_id), pieces in sold.items():
        there = pq.read_table(made.truth / "mornings" / f"morning_{day.replace('-', '')}.parquet")["pieces"]
        assert pieces <= there[ids.index(item_id)].as_py(), (day, item_id)


def test_where_people_want_more_than_there_is_the_last_piece_is_sold_and_no_other(tmp_path):
    greedy = {"p_list": 0.6, "p_land_on_item": 0.0, "p_follow": 1.0, "places": 2, "p_cart": 0.9, "p_checkout": 1.0}
    world = make_world("small", days=10, visitors=1200, items=1000, block=300, p_pay=1.0, **greedy)
    made = simulate(world, tmp_path / "shop", Popular(explores=0.0))
    assert made.counts["refused_lines"] > 50
    sold = Counter()
    for event in rows_of(made.export):
        if event["event_name"] == "purchase":
            day = event["event_params"][0]["value"]["int_value"] * 1_000_000 // DAY_US
            for item in event["items"]:
                sold[day - day_start_us(world.start) // DAY_US, item["item_id"]] += item["quantity"]
    last_pieces, ids = 0, make_catalogue(world).item_ids.to_pylist()
    for number in range(world.days):
        name = next_day(world.start, number).replace("-", "")
        pieces = pq.read_table(made.truth / "mornings" / f"morning_{name}.parquet")["pieces"].to_pylist()
        stock = dict(zip(ids, pieces, strict=True))
        wanted = {item_id: count for (day, item_id), count in sold.items() if day == number}
        assert all(count <= stock[item_id] for item_id, count in wanted.items())
        last_pieces += sum(count == stock[item_id] for item_id, count in wanted.items())
    assert last_pieces > 5


def test_items_are_seen_in_the_weeks_they_are_sold_in_and_only_then(made, lively):
    goods = make_catalogue(lively)
    assert (goods.first_week > 0).any()
    for number in range(lively.days):
        is_sold = goods.is_sold_in(number // WEEK_DAYS)
        name = next_day(lively.start, number).replace("-", "")
        feed = pa.csv.read_csv(
            made.export / "feeds" / f"catalog_{name}.tsv", parse_options=pa.csv.ParseOptions(delimiter="\t")
        )
        assert feed["id"].to_pylist() == goods.item_ids.filter(pa.array(is_sold)).to_pylist()
        for path in made.truth.glob(f"pages/pages_{name}_*.parquet"):
            table = pq.read_table(path)
            shown = table["slate"].combine_chunks().drop_null().flatten().to_numpy()
            viewed = table["item"].to_numpy()
            assert is_sold[np.concatenate([shown[shown >= 0], viewed[viewed >= 0]])].all()


def test_every_return_names_an_order_that_had_the_item(events):
    orders = {
        (event["ecommerce"]["transaction_id"], item["item_id"]): (event["event_timestamp"], item["price"])
        for event in events
        if event["event_name"] == "purchase"
        for item in event["items"]
    }
    refunds = [event for event in events if event["event_name"] == "refund"]
    assert len(refunds) > 30
    for event in refunds:
        [item] = event["items"]
        bought_us, price = orders[event["ecommerce"]["transaction_id"], item["item_id"]]
        assert 0 < event["event_timestamp"] - bought_us < 15 * 86_400_000_000
        assert item["price"] == price


def test_a_faulty_export_has_its_clean_log_in_the_truth(made, tmp_path, lively):
    faults = Faults(duplicates=0.1, late=0.1, missing_day="2026-01-03", schema_change="2026-01-10")
    broken = simulate(lively, tmp_path / "shop", Popular(), faults=faults)
    assert not list(broken.export.glob("events_20260103*"))
    assert broken.broken["duplicates"] > 100
    clean = {path.name for path in made.export.glob("events_*")}
    assert {path.name for path in (broken.truth / "clean").iterdir()} == clean
    mend_log(broken.export, broken.truth / "faults", tmp_path / "mended")
    for name in clean:
        expected = pq.read_table(made.export / name)
        assert pq.read_table(tmp_path / "mended" / name).equals(expected)
        assert pq.read_table(broken.truth / "clean" / name).equals(expected)
    assert json.loads((broken.truth / "world.json").read_text())["faults"]["late"] == 0.1


def test_faults_are_for_ga4_exports(tmp_path, lively):
    with pytest.raises(UsageError, match="faults are for a GA4 export, the format is csv"):
        simulate(lively, tmp_path / "shop", Popular(), form="csv", faults=Faults(late=0.1))
    assert list(tmp_path.iterdir()) == []


def test_closed_values_are_written_where_there_are_any(tmp_path, made):
    world = make_world("stationary", days=2, visitors=50, items=30)
    told = json.loads((simulate(world, tmp_path / "shop", Popular()).truth / "value.json").read_text())
    assert told["popular"]["clicks"] > told["random"]["clicks"] > 0
    assert not (made.truth / "value.json").exists()


def test_no_page_is_lost_at_midnight_but_the_last_one(made, events, lively):
    """The truth has every page; the export has its list as it was shown, until the last midnight."""
    end_us = day_start_us(next_day(lively.start, lively.days))
    owner = {}
    for path in (made.truth / "visitors").iterdir():
        for row in pq.read_table(path).to_pylist():
            owner |= {row[name]: row["visitor"] for name in ("cookie", "second_cookie") if row[name]}
    ids = make_catalogue(lively).item_ids.to_pylist()
    pages = [row for path in (made.truth / "pages").iterdir() for row in pq.read_table(path).to_pylist()]
    shown = Counter(
        (row["visitor"], row["at_us"], tuple(ids[item] for item in row["slate"] if item >= 0))
        for row in pages
        if row["is_list"] and row["at_us"] < end_us
    )
    told = Counter(
        (owner[event["user_pseudo_id"]], event["event_timestamp"], tuple(item["item_id"] for item in event["items"]))
        for event in events
        if event["event_name"] == "view_item_list"
    )
    assert told == shown
    assert any(row["at_us"] // DAY_US > row["session_us"] // DAY_US for row in pages)


def test_lists_and_orders_have_numbers_of_their_own_over_all_days_and_blocks(events):
    lists = [
        param["value"]["string_value"]
        for event in events
        if event["event_name"] == "view_item_list"
        for param in event["event_params"]
        if param["key"] == "recommendation_id"
    ]
    orders = [event["ecommerce"]["transaction_id"] for event in events if event["event_name"] == "purchase"]
    assert len(set(lists)) == len(lists) == sum(event["event_name"] == "view_item_list" for event in events)
    assert len(set(orders)) == len(orders) > 100


def test_no_more_comes_back_than_was_bought(events):
    left = Counter()
    for event in sorted(events, key=lambda event: event["event_timestamp"]):
        sign = {"purchase": 1, "refund": -1}.get(event["event_name"], 0)
        for item in event["items"] if sign else []:
            key = event["ecommerce"]["transaction_id"], item["item_id"]
            left[key] += sign * item["quantity"]
            assert left[key] >= 0


def test_the_inventory_tells_enough_to_know_what_is_sold_and_at_which_price(made, events, lively):
    """Launches, ends and promotions come on some days, all told before the next feed; no more is sold than is told."""
    goods, tastes = make_catalogue(lively), make_tastes(lively, make_catalogue(lively))
    ids = goods.item_ids.to_pylist()
    sold = Counter()
    for event in events:
        if event["event_name"] == "purchase":
            began = event["event_params"][0]["value"]["int_value"] * 1_000_000 // DAY_US
            for item in event["items"]:
                sold[began, item["item_id"]] += item["quantity"]
    known, told = {}, 0
    for number in range(lively.days):
        name = next_day(lively.start, number).replace("-", "")
        with (made.export / "inventory" / f"inventory_{name}.tsv").open(newline="") as file:
            lines = {line["id"]: line for line in csv.DictReader(file, delimiter="\t")}
        assert all(known.get(item_id) != line for item_id, line in lines.items())
        known |= lines
        told += len(lines)
        pieces = pq.read_table(made.truth / "mornings" / f"morning_{name}.parquet")["pieces"].to_pylist()
        laws = make_laws(lively, goods, tastes, number // WEEK_DAYS)
        for item, item_id in enumerate(ids):
            if item_id in known:
                assert int(known[item_id]["quantity"]) == (pieces[item] if laws.is_sold[item] else 0)
            assert item_id in known or not laws.is_sold[item]
            if laws.is_sold[item] and goods.is_priced[item]:
                price = known[item_id]["sale_price"] or known[item_id]["price"]
                assert price == f"{laws.price_minor[item] / 100:.2f} USD"
            assert sold[day_start_us(lively.start) // DAY_US + number, item_id] <= pieces[item] * laws.is_sold[item]
    assert {line["sale_price"] for line in known.values()} != {""}
    assert 0 < told < lively.items * lively.days * 0.8


@pytest.mark.parametrize(
    ("asked", "what"),
    [({"form": "xml"}, "no format 'xml'"), ({"workers": 0}, "1 to 256 workers, not 0")],
    ids=["format", "workers"],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(tmp_path, lively, asked, what):
    with pytest.raises(UsageError, match=what):
        simulate(lively, tmp_path / "shop", Popular(), **asked)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [-1, 20])
def test_a_day_that_the_world_has_not_is_refused(lively, number):
    with pytest.raises(UsageError, match=f"20 days has none of number {number}"):
        day_alone(lively, Popular(), number)
