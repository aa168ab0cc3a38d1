"""Room on the disk, told before the work: what the tables of days that are to be taken in will take at the least."""

from pathlib import Path

from endcap.flows.chunks import Sizes
from endcap.flows.flow import Flow, Step
from endcap.flows.runner import pending_of
from endcap.stores.config import is_object_store
from endcap.stores.local_files import check_room

__all__ = ["LEAST_BYTES_A_ROW", "check_room_for_days"]

LEAST_BYTES_A_ROW = 8
"""Bytes of all tables together for a row of an export, at the least: half of the fewest that were measured.

Measured on 2026-11-27 on four days of the simulated shop (75,849 events, most of them lists of what was shown): 15.6
bytes a row of CSV, which has a row for each item of a list, 144 of Personalize, 146 of Segment, 147 of GA4. By bytes of
the files it would be 0.07 (CSV) to 4.6 (Parquet), so rows tell more. Half, for a larger day packs better and copies
count as rows.
"""


def check_room_for_days(flow: Flow, ingest: Step) -> None:
    """Refuse a refresh whose tables most likely do not fit on the disk of the lake, before anything is written.

    A low estimate: rows of the files of pending days, as they were counted when the files were looked at, by half of
    the fewest bytes that a row was seen to take; an export of copies alone would take less. What is spilled meanwhile
    is not counted, nor are days whose rows nobody has counted. A lake in a bucket is not looked at: nobody can say how
    much room there is.

    Args:
        flow: The run, before its first step that writes tables.
        ingest: That step.

    Raises:
        StoreError: There is less room than that (DISK_FULL).
    """
    if is_object_store(flow.shop.config.stores.lake):
        return
    pending, inputs = pending_of(flow, ingest)
    sizes = Sizes(flow)
    num_rows = sum(sizes.rows(ingest, day, inputs[day]) for day in pending)
    days = f"{len(pending):,} days" if len(pending) > 1 else f"the day {next(iter(pending), '')}"
    what = f"the tables of {days} with {num_rows:,} rows would take at least"
    check_room(Path(flow.shop.lake), num_rows * LEAST_BYTES_A_ROW, what=what, spare=0)
