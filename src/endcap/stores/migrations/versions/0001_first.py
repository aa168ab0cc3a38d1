"""The first schema of the catalog database."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TEXTS = ("organisation", "project", "region")


def _required(kind: type, *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=False) for name in names]


def _optional(kind: type, *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind) for name in names]


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "attempt",
        sa.Column("attempt_id", sa.Integer, primary_key=True),
        *_required(sa.Text, "run_id", *_TEXTS, "actor", "step"),
        *_required(sa.JSON, "partitions", "fingerprints", "inputs", "outputs"),
        *_required(sa.Text, "config_digest", "code_digest", "code_version"),
        *_required(sa.Integer, "token"),
        *_required(sa.BigInteger, "queued_at_us", "started_at_us"),
        *_optional(sa.BigInteger, "ended_at_us"),
        *_required(sa.Float, "queue_s"),
        *_optional(sa.Float, "wall_s", "cpu_s"),
        *_optional(sa.BigInteger, "peak_rss_bytes", "bytes_read", "bytes_written", "rows_in", "rows_out"),
        *_required(sa.Text, "outcome"),
        *_optional(sa.Text, "error_code", "error"),
        *_required(sa.JSON, "detail"),
    )
    op.create_index("ix_attempt_run_id", "attempt", ["run_id"])
    op.create_index("ix_attempt_step", "attempt", ["step"])
    op.create_table(
        "lease",
        sa.Column("name", sa.Text, primary_key=True),
        *_optional(sa.Text, "holder"),
        *_required(sa.Integer, "token"),
        *_required(sa.BigInteger, "expires_at_us"),
    )
    op.create_table(
        "partition_state",
        sa.Column("step", sa.Text, primary_key=True),
        sa.Column("partition", sa.Text, primary_key=True),
        *_required(sa.Text, "fingerprint"),
        sa.Column("attempt_id", sa.Integer, sa.ForeignKey("attempt.attempt_id"), nullable=False),
        *_required(sa.JSON, "output"),
    )
    op.create_table(
        "table_part",
        sa.Column("table", sa.Text, primary_key=True),
        sa.Column("partition", sa.Text, primary_key=True),
        *_required(sa.Text, "digest"),
        *_required(sa.BigInteger, "rows"),
        *_required(sa.Integer, "version"),
    )
    op.create_table("fact", sa.Column("name", sa.Text, primary_key=True), *_required(sa.Text, "value"))
    op.create_table(
        "source_file",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        *_required(sa.Text, "path"),
        *_required(sa.BigInteger, "size", "mtime_ns"),
        *_required(sa.Text, "sha256"),
        *_required(sa.JSON, "days"),
        *_required(sa.Text, "named_day"),
        *_required(sa.BigInteger, "num_unplaced", "num_rows"),
        *_required(sa.Text, "settings"),
    )
    op.create_table(
        "audit",
        sa.Column("audit_id", sa.Integer, primary_key=True),
        *_required(sa.BigInteger, "at_us"),
        *_required(sa.Text, "actor", "action", "resource", "outcome", *_TEXTS, "detail"),
    )


def downgrade() -> None:
    """Drop all tables."""
    for table in ("audit", "source_file", "fact", "table_part", "partition_state", "lease", "attempt"):
        op.drop_table(table)
