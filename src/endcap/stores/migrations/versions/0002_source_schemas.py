"""Schemas of source files: what each file has, and the versions of it that a source ever had."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forget what is known of source files, so that they are looked at once more, and make room for their schemas."""
    op.execute("DELETE FROM source_file")
    with op.batch_alter_table("source_file") as table:
        table.add_column(sa.Column("day_rows", sa.JSON, nullable=False))
        table.add_column(sa.Column("schema", sa.Text, nullable=False))
        table.add_column(sa.Column("broken", sa.Text, nullable=False))
    op.create_table(
        "source_schema",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("columns", sa.JSON, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("file", "day")),
        sa.Column("before", sa.Integer, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Forget the schemas."""
    op.drop_table("source_schema")
    with op.batch_alter_table("source_file") as table:
        for name in ("day_rows", "schema", "broken"):
            table.drop_column(name)
