"""The test kit: suites that an algorithm of yours must pass. Subclass, give the recipe, run pytest.

In: a recipe.
Out: tests.
Must hold: only tests import it; small planted worlds with a known right answer; no file outside `tmp_path`, no network.
Not here: the tests of the house itself (tests/).
"""
