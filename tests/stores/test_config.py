import pytest
from pydantic import ValidationError

from endcap.stores.config import StoresConfig, is_object_store


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
