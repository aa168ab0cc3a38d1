import pytest
from pydantic import ValidationError

from endcap.stores.config import StoresConfig


def test_a_shop_has_its_own_file_unless_a_server_is_named():
    assert StoresConfig().catalog == ""
    named = StoresConfig(catalog="postgresql://ann@host:5/db")
    assert named.catalog == "postgresql+psycopg://ann@host:5/db"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://ann:secret@host/db", "keys/catalog.password"),
        ("postgresql://ann@host/db?password=secret", "keys/catalog.password"),
        ("sqlite:///endcap.db", "not on 'sqlite'"),
        ("host/db", "no URL"),
    ],
)
def test_what_is_no_such_server_is_refused(url, told):
    with pytest.raises(ValidationError, match=told):
        StoresConfig(catalog=url)
