"""The audit log in the catalog database: the port of `governance.audit`."""

from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from endcap.flows.retry import Retry, in_ledger
from endcap.governance.audit import AuditRow
from endcap.stores.catalog import Catalog, audit

__all__ = ["AuditLog"]


@dataclass(frozen=True)
class AuditLog:
    """Reads and writes the audit log of one shop; rows are only ever added.

    Args:
        catalog: The database.
        retry: When and how a transaction is tried again.
    """

    catalog: Catalog
    retry: Retry

    @in_ledger
    def append(self, row: AuditRow) -> None:
        """Write a row."""
        with self.catalog.begin() as connection:
            connection.execute(sa.insert(audit).values(**msgspec.structs.asdict(row)))

    @in_ledger
    def rows(self, *, limit: int = 50) -> list[dict[str, Any]]:
        """Return the latest rows, newest first."""
        query = sa.select(audit).order_by(audit.c.audit_id.desc()).limit(limit)
        with self.catalog.begin() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]
