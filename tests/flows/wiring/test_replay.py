"""That the parts work together is shown in tests/flows/test_replay.py; here with a lake in a bucket."""

import shutil
import urllib.request

import pytest

from endcap.core.clock import fixed_clock
from endcap.core.tables import EVENTS, SESSIONS
from endcap.flows.refresh import refresh
from endcap.flows.replay import replay
from endcap.flows.shop import find_shop
from endcap.flows.wiring.stores import open_tables

pytestmark = pytest.mark.slow

DAYS = {"2026-03-05": "10:00 u1 view_item C\n10:25 u1 add_to_cart C\n11:00 u2 view_item A\n11:01 u2 view_item B"}


def test_a_run_over_a_bucket_is_made_again_on_this_machine_and_the_bucket_stays_as_it_is(
    tmp_path, make_hand_made, write_day, s3
):
    endpoint, bucket = s3
    root = make_hand_made(tmp_path / "hand", DAYS)
    stores = {"lake": f"s3://{bucket}/lake", "bundles": f"s3://{bucket}/bundles", "endpoint": endpoint}
    with (root / "endcap.toml").open("a") as file:
        file.write("[stores]\n" + "".join(f'{name} = "{value}"\n' for name, value in stores.items()))
    first = refresh(root, clock=fixed_clock("2026-03-06T12:00:00"))
    write_day(root, "2026-03-09", "10:00 u2 view_item B\n10:01 u2 view_item C")
    refresh(root, clock=fixed_clock("2026-03-10T12:00:00"))
    shutil.rmtree(root / "runs")  # as on another machine, which finds the manifest beside the lake
    before = versions(root)
    found = replay(root, first.run_id)
    assert found.verdict.is_equal, found.verdict.lines()
    assert (found.place / "lake" / SESSIONS.name).is_dir()
    assert versions(root) == before
    listed = urllib.request.urlopen(f"{endpoint}/{bucket}?list-type=2").read()  # noqa: S310 - our own server
    assert b"replays" not in listed


def versions(root):
    with open_tables(find_shop(root)) as tables:
        return {table.name: tables.version(table) for table in (EVENTS, SESSIONS)}
