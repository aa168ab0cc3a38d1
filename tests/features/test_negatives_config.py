import pytest
from pydantic import TypeAdapter, ValidationError

from endcap.features.negatives_config import HardNegatives, NegativeSampler, UnclickedNegatives

PINNED = {"kind": "hard", "model": "two_tower", "version": "0123456789abcdef"}
SAMPLER = TypeAdapter(NegativeSampler)


@pytest.mark.parametrize("told", [{"kind": "uniform"}, {"kind": "popularity"}, {"kind": "unclicked"}, PINNED])
def test_a_sampler_is_chosen_by_its_kind_and_draws_four_by_itself(told):
    found = SAMPLER.validate_python(told)
    assert (found.kind, found.num) == (told["kind"], 4)


def test_samplers_cannot_be_changed_and_know_no_other_setting():
    with pytest.raises(ValidationError, match="frozen"):
        UnclickedNegatives().num = 3
    with pytest.raises(ValidationError, match="Extra inputs"):
        SAMPLER.validate_python({"kind": "uniform", "power": 0.5})


def test_a_model_must_be_pinned_by_its_version():
    for version in ("latest", "../../0123456789abcdef", ""):
        with pytest.raises(ValidationError, match="version"):
            SAMPLER.validate_python(PINNED | {"version": version})
    with pytest.raises(ValidationError, match="model"):
        SAMPLER.validate_python(PINNED | {"model": "../two_tower"})


def test_ranks_stand_in_order():
    assert HardNegatives(**PINNED, first=7, last=7).first == 7
    with pytest.raises(ValidationError, match="last = 6 is nearer than first = 7"):
        HardNegatives(**PINNED, first=7, last=6)
