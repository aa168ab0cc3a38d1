"""What is known of a source's files and of their schemas, so that no file is looked at twice."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from endcap.events.files import SourceFile
from endcap.events.source_schema import SourceSchema
from endcap.flows.retry import Retry, in_ledger
from endcap.stores.catalog import Catalog, source_file, source_schema

__all__ = ["KnownSources"]


@dataclass(frozen=True)
class KnownSources:
    """Reads and writes what is known of one shop's sources.

    Args:
        catalog: The database.
        retry: When and how a transaction is tried again.
    """

    catalog: Catalog
    retry: Retry

    @in_ledger
    def files(self) -> list[SourceFile]:
        """Return what is known of the source's files, by source and name."""
        query = sa.select(source_file).order_by(source_file.c.source, source_file.c.name)
        with self.catalog.begin() as connection:
            rows = connection.execute(query).mappings().all()
        return [_source_file(dict(row)) for row in rows]

    @in_ledger
    def keep_files(self, files: Sequence[SourceFile]) -> None:
        """Note what is known of the source's files; of those that are gone, the days made from them know."""
        with self.catalog.begin() as connection:
            connection.execute(sa.delete(source_file))
            if files:
                connection.execute(
                    sa.insert(source_file),
                    [{**asdict(file), "days": list(file.days), "day_rows": list(file.day_rows)} for file in files],
                )

    @in_ledger
    def schemas(self) -> list[SourceSchema]:
        """Return the versions of the schemas that sources ever had, by source and version."""
        query = sa.select(source_schema).order_by(source_schema.c.source, source_schema.c.version)
        with self.catalog.begin() as connection:
            return [SourceSchema(**row) for row in connection.execute(query).mappings()]

    @in_ledger
    def keep_schemas(self, schemas: Sequence[SourceSchema]) -> None:
        """Note versions that are new; one that another run has noted just now stays as it is."""
        with self.catalog.begin() as connection:
            known = {(row.source, row.version) for row in connection.execute(sa.select(source_schema))}
            fresh = [asdict(each) for each in schemas if (each.source, each.version) not in known]
            if fresh:
                connection.execute(sa.insert(source_schema), fresh)


def _source_file(row: Mapping[str, Any]) -> SourceFile:
    return SourceFile(**{**row, "days": tuple(row["days"]), "day_rows": tuple(row["day_rows"])})
