"""The items of a bundle: numbers by id, and the columns that a slate tells, memory-mapped.

Shapes: N items.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.ipc

__all__ = ["Items"]

_TOLD = ("title", "price_minor", "currency", "availability")


class Items:
    """N items in order of their numbers.

    Args:
        batch: The columns of `items.arrow`, ascending by item_id.

    Raises:
        ValueError: A column is missing, or the ids are not in order.
    """

    def __init__(self, batch: Any) -> None:
        missing = [name for name in ("item_id", *_TOLD) if name not in batch.schema.names]
        if missing:
            raise ValueError(f"items.arrow has no column {', '.join(missing)}")
        self.ids: list[str] = batch.column("item_id").to_pylist()
        if any(earlier >= later for earlier, later in zip(self.ids, self.ids[1:], strict=False)):
            raise ValueError("the ids in items.arrow are not in ascending order, each once")
        self._numbers = {item_id: number for number, item_id in enumerate(self.ids)}
        self._columns = [batch.column(name) for name in _TOLD]
        availability = batch.column("availability").to_pylist()
        self.in_stock_N = np.array([each != "out_of_stock" for each in availability], np.bool_)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Map an Arrow IPC file.

        Raises:
            OSError: It cannot be read.
            ValueError: It is not what `endcap.flows.deploy` writes.
        """
        with pa.memory_map(str(path)) as source:
            file = pa.ipc.open_file(source)
            if file.num_record_batches == 1:
                return cls(file.get_batch(0))
            return cls(file.read_all().combine_chunks().to_batches()[0] if file.num_record_batches else _empty(file))

    def __len__(self) -> int:
        return len(self.ids)

    def number(self, item_id: str) -> int | None:
        """Return an item's number, None if it is not in the bundle."""
        return self._numbers.get(item_id)

    def numbers(self, item_ids: Iterable[str]) -> list[int]:
        """Return the numbers of those items that are in the bundle, in the order given."""
        found = (self._numbers.get(item_id) for item_id in item_ids)
        return [number for number in found if number is not None]

    def told(self, number: int) -> dict[str, Any]:
        """Return what a slate tells of an item: title, price_minor, currency, availability."""
        # Scalars, not `take`: building an Arrow array looks for pandas, and loads it where it is installed.
        return {name: column[number].as_py() for name, column in zip(_TOLD, self._columns, strict=True)}


def _empty(file: Any) -> Any:
    return pa.RecordBatch.from_pylist([], schema=file.schema)
