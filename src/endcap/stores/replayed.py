"""Tables as a past run saw them: what it made is made again in a store of its own, all else is read as it was."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from endcap.core.contract import Table
from endcap.core.data_file import DataFile
from endcap.stores.tables import Fence, TableStore

__all__ = ["ReplayedTables"]


@dataclass(frozen=True)
class ReplayedTables:
    """The table store port over two stores; only the own one is ever written.

    Args:
        past: The shop's tables at the versions of then.
        own: Where partitions are made again.
        owned: Table -> the partitions that are; they are read from `own` alone, also while they are not there yet.
        then: Table -> its version of then, by which what is made again goes, too: it is that version's content.
    """

    past: TableStore
    own: TableStore
    owned: Mapping[str, Collection[str]]
    then: Mapping[str, int]

    def version(self, table: Table) -> int:
        """Return the version of then; -1 where the table was not there, or is to be made again and is not yet."""
        own = self.own.version(table) if self._mine(table) else -1
        return -1 if self._mine(table) and own < 0 else self.then.get(table.name, own)

    def schema_version(self, table: Table) -> int:
        """Return the version of the contract under which it was last written, here or then."""
        return self.own.schema_version(table) or self.past.schema_version(table)

    def files(self, table: Table, partitions: Sequence[str] | None = None) -> list[str]:
        """Return the data files of all partitions or of those named; see the port."""
        mine = self._mine(table)
        if not table.partition:
            return (self.own if mine else self.past).files(table)
        wanted = self.past.partitions(table) if partitions is None else partitions
        here = sorted(mine if partitions is None else mine & {*partitions})
        there = [each for each in wanted if each not in mine]
        return sorted([*self.past.files(table, there), *self.own.files(table, here)])

    def partitions(self, table: Table) -> list[str]:
        """Return the partitions that hold rows, ascending."""
        mine = self._mine(table)
        there = [each for each in self.past.partitions(table) if each not in mine]
        return sorted([*there, *(each for each in self.own.partitions(table) if each in mine)])

    def at(self, versions: Mapping[str, int]) -> TableStore:
        """Return the shop's tables as they were at other versions."""
        return self.past.at(versions)

    def replace(
        self, table: Table, partitions: Sequence[str], rows: pa.RecordBatchReader, *, fence: Fence | None = None
    ) -> int:
        """Put rows in the place of whole partitions of the own store; return the version of then."""
        own = self.own.replace(table, partitions, rows, fence=fence)
        return self.then.get(table.name, own)

    def folder(self, table: Table) -> str:
        """Return the folder of the own files."""
        return self.own.folder(table)

    def written(self, table: Table, attempt: str) -> list[DataFile]:
        """Return the own data files of an attempt."""
        return self.own.written(table, attempt)

    def adopt(
        self,
        table: Table,
        partitions: Sequence[str],
        files: Sequence[DataFile],
        *,
        read_version: int,
        fence: Fence | None = None,
    ) -> int:
        """Put files in the place of whole partitions of the own store."""
        return self.own.adopt(table, partitions, files, read_version=read_version, fence=fence)

    def clean(self, table: Table, *, fence: Fence, living: Collection[str] = ()) -> list[str]:
        """Remove the own files of dead attempts."""
        return self.own.clean(table, fence=fence, living=living)

    def file_sizes(self, table: Table) -> dict[str, list[int]]:
        """Return the bytes of each own data file by partition."""
        return self.own.file_sizes(table)

    def rearrange(
        self, table: Table, partitions: Sequence[str], rows: pa.RecordBatchReader, *, fences: Sequence[Fence]
    ) -> int:
        """Write the same rows of own partitions anew."""
        return self.own.rearrange(table, partitions, rows, fences=fences)

    def versions(self, table: Table) -> dict[int, int]:
        """Return the versions of the own table."""
        return self.own.versions(table)

    def vacuum(self, table: Table, *, keep: Collection[int], dry_run: bool) -> list[str]:
        """Remove own data files that no kept version names."""
        return self.own.vacuum(table, keep=keep, dry_run=dry_run)

    def _mine(self, table: Table) -> frozenset[str]:
        return frozenset(self.owned.get(table.name, ()))
