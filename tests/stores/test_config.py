import pytest
from pydantic import ValidationError

from endcap.stores.config import StoresConfig, TrackingConfig, is_object_store


def test_by_default_everything_lies_below_the_shop():
    settings = StoresConfig()
    assert (settings.lake, settings.bundles, is_object_store(settings.lake)) == ("", "", False)


def test_a_bucket_with_a_prefix_and_a_folder_are_places():
    settings = StoresConfig(lake="s3://bucket/shop/lake/", bundles="/mnt/bundles")
    assert (settings.lake, settings.bundles) == ("s3://bucket/shop/lake", "/mnt/bundles")


@pytest.mark.parametrize(
    "place",
    ["s3://bucket", "s3://", "gs://bucket/x", "file:///x", "s3://key:hidden@bucket/x", "s3://bucket/x?token=hidden"],
)
def test_what_is_no_place_or_holds_a_secret_is_refused_and_the_secret_not_repeated(place):
    with pytest.raises(ValidationError) as caught:
        StoresConfig(lake=place)
    assert "hidden" not in caught.value.errors()[0]["msg"]


def test_versions_stay_a_week_and_eight_small_files_are_many():
    settings = StoresConfig()
    assert (settings.keep_versions_days, settings.compact_files, settings.small_file_mb) == (7, 8, 16.0)


@pytest.mark.parametrize("wrong", [{"keep_versions_days": 0}, {"compact_files": 1}, {"small_file_mb": 0}])
def test_versions_of_today_cannot_be_given_up_nor_one_file_be_put_together(wrong):
    with pytest.raises(ValidationError):
        StoresConfig(**wrong)


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


def test_runs_are_mirrored_to_a_server_or_a_file_and_nowhere_unless_it_is_said():
    assert TrackingConfig().mlflow == ""
    for uri in (
        "http://mlflow.internal:5000",
        "https://host/behind/a/proxy",
        "sqlite:///mlflow.db",
        "sqlite:////a/b.db",
    ):
        assert TrackingConfig(mlflow=uri).mlflow == uri
    assert TrackingConfig(mlflow="http://host/").mlflow == "http://host"


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("mlruns", "no longer keeps runs in folders"),
        ("file:///mlruns", "no longer keeps runs in folders"),
        ("postgresql://ann:hidden@host/db", "write http"),
        ("sqlite://runs.db", "names no file"),
        ("sqlite:///", "names no file"),
        ("http://ann:hidden@host:5000", "credentials stand in the environment"),
        ("http://host?token=hidden", "credentials stand in the environment"),
        ("http://:5000", "names no host"),
    ],
)
def test_what_no_run_can_be_mirrored_to_is_refused_and_a_secret_not_repeated(uri, told):
    with pytest.raises(ValidationError, match=told) as caught:
        TrackingConfig(mlflow=uri)
    assert "hidden" not in caught.value.errors()[0]["msg"]


def test_an_experiment_without_a_server_would_be_ignored():
    with pytest.raises(ValidationError, match="names no server"):
        TrackingConfig(experiment="mine")
