from dataclasses import replace

from endcap.stores.tracking import Measured, TrackedRun

RUN = TrackedRun("ab" * 16, "popular 2026-03-01", 1, 2, {"seed": "17"}, {"endcap.model": "popular"}, ())


def test_the_content_of_a_run_is_another_one_once_there_is_more_to_tell():
    assert RUN.content() == replace(RUN, params={"seed": "17"}).content()
    assert RUN.content() != replace(RUN, measured=(Measured("test/ndcg@10", 0, 0.5),)).content()
