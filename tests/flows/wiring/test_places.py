import os
import sqlite3
from contextlib import closing

import pytest

from endcap.core.errors import ConfigError, SourceError
from endcap.events.config import EventsConfig
from endcap.events.place_config import DatabaseSource
from endcap.flows.wiring.places import open_objects, open_query


def settings(url):
    return DatabaseSource(url=url, query="SELECT 1 AS id", watermark="id")


def test_an_sqlite_file_is_relative_to_the_shop(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    with closing(sqlite3.connect(tmp_path / "data" / "shop.db")):
        (tmp_path / "data" / "shop.db").touch()
    monkeypatch.chdir("/")
    for url in ("sqlite:///data/shop.db", f"sqlite:///{tmp_path}/data/shop.db"):
        with open_query(tmp_path, settings(url)) as query:
            assert query.latest() == 1


def test_the_password_comes_from_the_environment_or_from_a_file_that_only_its_owner_may_read(
    tmp_path, postgres, monkeypatch
):
    with open_query(tmp_path, settings(postgres)) as query:
        assert query.latest() == 1
    (tmp_path / "keys").mkdir()
    path = tmp_path / "keys" / "database.password"
    path.write_text(os.environ["ENDCAP_DATABASE_PASSWORD"] + "\n")
    monkeypatch.delenv("ENDCAP_DATABASE_PASSWORD")
    path.chmod(0o644)
    with (
        pytest.raises(ConfigError, match=r"can be read by others \(mode 644\)"),
        open_query(tmp_path, settings(postgres)),
    ):
        pass
    path.chmod(0o600)
    with open_query(tmp_path, settings(postgres)) as query:
        assert query.latest() == 1
    path.unlink()
    with pytest.raises(SourceError, match="cannot be reached"), open_query(tmp_path, settings(postgres)):
        pass


def test_an_object_store_is_opened_at_the_endpoint_of_the_settings(s3):
    endpoint, bucket = s3
    events = EventsConfig.model_validate({"source": f"s3://{bucket}/export", "objects": {"endpoint": endpoint}})
    assert open_objects(events).list() == []
