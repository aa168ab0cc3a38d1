import pytest

from endcap.core.errors import ConfigError
from endcap.flows.shop import Shop, find_shop, make_key, write_atomically


@pytest.fixture
def shop(tmp_path, tiny_config, monkeypatch):
    monkeypatch.delenv("ENDCAP_USER_KEY", raising=False)
    return Shop(tmp_path, tiny_config)


def test_the_key_is_made_once_and_only_its_owner_may_read_it(shop, tmp_path):
    path = tmp_path / "keys" / "user.key"
    make_key(path)
    first = path.read_text()
    make_key(path)
    assert path.read_text() == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(shop.user_key()) == 32


def test_a_key_that_others_may_read_is_refused(shop, tmp_path):
    make_key(tmp_path / "keys" / "user.key")
    (tmp_path / "keys" / "user.key").chmod(0o644)
    with pytest.raises(ConfigError, match=r"can be read by others \(mode 644\)"):
        shop.user_key()


def test_a_missing_or_damaged_key_is_told_and_never_shown(shop, tmp_path):
    with pytest.raises(ConfigError, match="the shop's key is missing"):
        shop.user_key()
    make_key(tmp_path / "keys" / "user.key")
    (tmp_path / "keys" / "user.key").write_text("half a secret")
    with pytest.raises(ConfigError) as error:
        shop.user_key()
    assert "secret" not in str(error.value)


def test_the_environment_gives_the_key_in_the_place_of_the_file(shop, monkeypatch):
    monkeypatch.setenv("ENDCAP_USER_KEY", "ab" * 32)
    assert shop.user_key() == b"\xab" * 32


def test_a_relative_source_lies_below_the_shop(shop, tmp_path):
    assert shop.source == tmp_path / "export"


def test_no_bundle_is_in_force_before_the_first_one(shop):
    assert shop.bundle_in_force() == ""
    write_atomically(shop.bundles / "current", b"2026-01-01-abc\n")
    assert shop.bundle_in_force() == "2026-01-01-abc"


def test_a_file_replaced_atomically_leaves_nothing_beside_it(tmp_path):
    for content in (b"one", b"two"):
        write_atomically(tmp_path / "deep" / "file", content)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["file"]
    assert (tmp_path / "deep" / "file").read_bytes() == b"two"


def test_a_shop_is_found_by_its_folder(tmp_path):
    (tmp_path / "endcap.toml").write_text('[shop]\nproject = "tiny"\n[events]\nsource = "export"\n')
    assert find_shop(tmp_path).config.shop.project == "tiny"
