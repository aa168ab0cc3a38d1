import contextlib
import sqlite3

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from endcap.core.errors import LedgerError
from endcap.stores import catalog as module
from endcap.stores.catalog import HEAD, Catalog, metadata


@pytest.fixture
def catalog(tmp_path):
    opened = Catalog(tmp_path / "endcap.db")
    yield opened
    opened.close()


def alembic_config():
    config = Config()
    config.set_main_option("script_location", module.__file__.replace("catalog.py", "migrations"))
    return config


def test_the_migrations_make_exactly_the_schema_of_the_code(catalog):
    with catalog.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_head_is_the_newest_migration():
    assert ScriptDirectory.from_config(alembic_config()).get_current_head() == HEAD


def test_the_migrations_go_down_again_and_up(catalog):
    config = alembic_config()
    with catalog.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        assert set(sa.inspect(connection).get_table_names()) <= {"alembic_version"}
        command.upgrade(config, "head")
        assert set(metadata.tables) <= set(sa.inspect(connection).get_table_names())


def test_a_transaction_that_raises_leaves_nothing(catalog):
    row = {"name": "x", "holder": None, "token": 1, "expires_at_us": 0}
    with contextlib.suppress(ZeroDivisionError), catalog.begin() as connection:
        connection.execute(sa.insert(module.lease).values(row))
        raise ZeroDivisionError
    with catalog.begin() as connection:
        assert connection.execute(sa.select(module.lease)).all() == []


def test_a_file_that_is_no_database_is_told_with_its_place(tmp_path):
    path = tmp_path / "endcap.db"
    path.write_bytes(b"this is not a database, whatever its name says" * 100)
    with pytest.raises(LedgerError, match=r"file is not a database[\s\S]*endcap\.db"):
        Catalog(path)


def test_a_database_of_a_newer_version_is_refused(tmp_path):
    path = tmp_path / "endcap.db"
    Catalog(path).close()
    with contextlib.closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    with pytest.raises(LedgerError, match="migration 9999"):
        Catalog(path)


def test_the_database_clock_goes_forward_in_microseconds(catalog):
    with catalog.begin() as connection:
        first, second = catalog.now_us(connection), catalog.now_us(connection)
    assert second >= first > 1_700_000_000_000_000
