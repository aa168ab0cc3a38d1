import string

import pytest

from endcap.monitoring.verdict import VERDICTS, Check, Tone, verdict

STATES = [(name, state) for name, states in VERDICTS.items() for state in states]


@pytest.mark.parametrize(("name", "state"), STATES)
def test_every_sentence_is_one_sentence_and_every_verdict_carries_its_tone(name, state):
    tone, text = VERDICTS[name][state]
    fields = {field for _, field, _, _ in string.Formatter().parse(text) if field} - {"value"}
    check = verdict(name, state, 0.25, **dict.fromkeys(fields, 1))
    assert (check.name, check.state, check.tone, check.value) == (name, state, tone, 0.25)
    assert not check.sentence[0].islower()
    assert check.sentence.endswith(".")
    assert ". " not in check.sentence


def test_every_check_can_come_out_good_and_not_good():
    for name, states in VERDICTS.items():
        tones = {tone for tone, _ in states.values()}
        assert Tone.GOOD in tones, name
        assert len(tones) > 1, name


def test_a_verdict_names_its_numbers():
    assert verdict("lag", "behind", 3.04, limit=2.0) == Check(
        "lag", "behind", Tone.WARN, "The data ends 3.0 days ago, more than 2 days: a refresh is missing.", 3.04
    )


def test_an_unknown_state_is_our_own_mistake():
    with pytest.raises(KeyError):
        verdict("lag", "wonderful", None)
