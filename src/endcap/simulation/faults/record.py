"""The record of what was done to a log: where it lies, what its tables hold, and the streams its draws came from.

faults.json          the faults, the seed, the counts, the files of the clean log in order
rows/FILE            one row for each row of a faulty file: TRACE
changes/FILE         one row for each change of a clean row's values: CHANGES
originals/FILE       the clean rows that `changes` names, each once, ascending, as they were, in the clean schema
undelivered/FILE     the files of the missing day, as they would have been delivered
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from endcap.core.clock import DAY_US, day_start_us
from endcap.core.errors import Code, UsageError
from endcap.simulation.faults.choice import Faults
from endcap.simulation.streams import Purpose as WorldPurpose

__all__ = [
    "CHANGES",
    "FAULTS_STREAM",
    "TRACE",
    "CleanFile",
    "Purpose",
    "Record",
    "made_whole",
    "read_record",
    "stream",
    "write_record",
]

TRACE = pa.schema(
    [
        ("_origin_file", pa.string()),
        ("_origin_row", pa.int64()),
        ("_fault", pa.string()),
        ("_what", pa.string()),
    ]
)
"""Where a faulty row is from (for garbage: what it was made of), the fault that put it here ("" if none did), and what
kind of garbage it is. The columns travel with the rows while the log is broken."""

CHANGES = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("fault", pa.string(), nullable=False),
        pa.field("what", pa.string(), nullable=False),
        pa.field("shift_us", pa.int64()),
    ]
)
"""The clean row, from 0; the fault; the field that is missing or the kind of clock; by how much the clock is ahead."""


FAULTS_STREAM = int(WorldPurpose.FAULTS)
"""What the world draws has other numbers here: a world and its faults may have the same seed."""


class Purpose(IntEnum):
    """What a stream of random numbers is for; a number is never given to another purpose."""

    DUPLICATES = 1
    LATE = 2
    OUT_OF_ORDER = 3
    CLOCK_SKEW = 4
    MISSING_FIELDS = 5
    MALFORMED = 6


@dataclass(frozen=True)
class CleanFile:
    """A file of the clean log: its name, its UTC day, its place among the files of that day, and its rows."""

    name: str
    day: str
    part: int
    num_rows: int


@dataclass(frozen=True)
class Record:
    """What `faults.json` holds.

    Args:
        faults: What was asked for.
        seed: The seed.
        counts: Fault -> rows that it touched.
        files: The clean log.
    """

    faults: Faults
    seed: int
    counts: dict[str, int]
    files: list[CleanFile]


@contextmanager
def made_whole(folder: Path) -> Iterator[Path]:
    """Give a folder beside to write into, and put it in place at the end: all of its files appear at once.

    Raises:
        UsageError: There is something in the folder already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            "there is something in the folder already",
            where=str(folder),
            fix="name another folder or remove this one",
            code=Code.USAGE,
        )
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    yield part
    part.replace(folder)


def stream(seed: int, purpose: Purpose, file: CleanFile) -> np.random.Generator:
    """Return the random numbers of one purpose for one file; they depend on no other fault and no other file."""
    return np.random.default_rng([seed, FAULTS_STREAM, purpose, day_start_us(file.day) // DAY_US, file.part])


def write_record(folder: Path, record: Record) -> None:
    """Write `faults.json`."""
    (folder / "faults.json").write_bytes(msgspec.json.format(msgspec.json.encode(record)) + b"\n")


def read_record(folder: Path) -> Record:
    """Read `faults.json`."""
    return msgspec.json.decode((folder / "faults.json").read_bytes(), type=Record)
