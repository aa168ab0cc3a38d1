import shutil
from typing import NamedTuple

import pytest

from endcap.core.errors import Code, StoreError
from endcap.flows.refresh import refresh
from endcap.flows.room import LEAST_BYTES_A_ROW, check_room_for_days
from endcap.flows.steps import STEPS

pytestmark = pytest.mark.slow

INGEST = next(step for step in STEPS if step.name == "ingest")


class Usage(NamedTuple):
    """What `shutil.disk_usage` tells, bytes."""

    total: int
    used: int
    free: int


@pytest.fixture
def disk(monkeypatch):
    """Say how many bytes of the disk are free."""

    def leave(num_bytes):
        monkeypatch.setattr("endcap.stores.local_files.shutil.disk_usage", lambda _path: Usage(10**15, 0, num_bytes))

    return leave


def test_a_refresh_that_cannot_fit_is_refused_with_the_numbers_before_anything_is_written(
    fresh_shop, tmp_path, morning, disk
):
    root = shutil.copytree(fresh_shop, tmp_path / "tiny")
    disk(0)
    with pytest.raises(StoreError, match=r"the tables of 3 days with [0-9,]+ rows would take at least") as caught:
        refresh(root, clock=morning)
    assert caught.value.code == Code.DISK_FULL
    assert "make room" in caught.value.fix
    assert not (root / "lake").exists()


def test_what_fits_by_the_lower_bound_and_what_is_done_is_not_refused(tmp_path, tiny_shop, fresh_shop, flow_of, disk):
    disk(0)
    check_room_for_days(flow_of(tiny_shop), INGEST)  # no day is pending
    flow = flow_of(shutil.copytree(fresh_shop, tmp_path / "tiny"))
    with pytest.raises(StoreError) as caught:
        check_room_for_days(flow, INGEST)
    num_rows = sum(rows for file in flow.ledger.sources.files() for rows in file.day_rows)
    assert f"with {num_rows:,} rows" in caught.value.what
    disk(num_rows * LEAST_BYTES_A_ROW - 1)
    with pytest.raises(StoreError):
        check_room_for_days(flow, INGEST)
    disk(num_rows * LEAST_BYTES_A_ROW)
    check_room_for_days(flow, INGEST)


def test_the_bound_lies_below_what_a_real_shop_takes(tiny_shop, flow_of):
    flow = flow_of(tiny_shop)
    num_rows = sum(rows for file in flow.ledger.sources.files() for rows in file.day_rows)
    taken = sum(path.stat().st_size for path in (tiny_shop / "lake").rglob("*") if path.is_file())
    assert num_rows * LEAST_BYTES_A_ROW < taken
