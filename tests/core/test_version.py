import re
from importlib.metadata import PackageNotFoundError, version

import pytest

from endcap.core.version import __version__


def test_the_version_is_a_release_of_three_numbers():
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", __version__)


def test_the_installed_package_says_the_same():
    try:
        installed = version("endcap")
    except PackageNotFoundError:
        pytest.skip("endcap is run from its sources")
    assert installed == __version__
