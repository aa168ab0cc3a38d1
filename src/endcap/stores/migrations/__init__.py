"""The migrations of the catalog database, run by alembic."""
