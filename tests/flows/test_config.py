import pytest

from endcap.core.errors import Code, ConfigError
from endcap.flows.config import ShopConfig, load_config, parse_config

GOOD = '[shop]\nproject = "tiny"\n[events]\nsource = "export"\n'


def parsed(text, **environment):
    return parse_config(text, where="endcap.toml", environment=environment)


def told(text, **environment):
    with pytest.raises(ConfigError) as error:
        parsed(text, **environment)
    return str(error.value)


def test_two_sections_make_a_shop_and_the_rest_has_defaults():
    config = parsed(GOOD)
    assert (config.shop.organisation, config.shop.seed, config.sessions.gap_minutes) == ("local", 17, 30)


def test_a_typo_is_told_with_its_path_and_the_near_name():
    text = told(GOOD + "[sessions]\ngap_minute = 20\n")
    assert "unknown setting at $.sessions.gap_minute; did you mean 'gap_minutes'" in text
    assert "where: endcap.toml" in text


def test_every_fault_is_told_at_once():
    text = told('[shop]\nproject = "Not A Name"\nseed = -1\n[events]\nsource = "x"\n[engine]\nmemory_limit = "lots"\n')
    assert "3 settings cannot be used" in text
    for path in ("$.shop.project", "$.shop.seed", "$.engine.memory_limit"):
        assert path in text


def test_a_missing_section_is_told():
    assert "missing setting at $.events" in told('[shop]\nproject = "tiny"\n')


def test_a_typo_in_an_unknown_section_is_told():
    assert "unknown setting at $.session; did you mean 'sessions'?" in told(GOOD + "[session]\ngap_minutes = 20\n")


def test_a_typo_deep_in_the_events_is_told_with_the_near_name():
    text = told(GOOD + '[events.reader]\nkind = "mapped"\ntimes = "at"\ntime = "at"\nuser_id = "u"\nevent_name = "e"\n')
    assert "unknown setting at $.events.reader.mapped.times; did you mean" in text
    assert "'time'" in text


def test_what_is_no_toml_is_told_with_its_line():
    assert "line 2" in told('[shop]\nproject = tiny"\n')


def test_the_environment_overrides_the_file():
    config = parsed(GOOD, ENDCAP__SESSIONS__GAP_MINUTES="45", ENDCAP__SHOP__REGION="eu-west", OTHER="1")
    assert (config.sessions.gap_minutes, config.shop.region) == (45, "eu-west")


def test_a_bad_override_is_told_like_a_bad_setting():
    assert "$.sessions.gap_minutes" in told(GOOD, ENDCAP__SESSIONS__GAP_MINUTES="0")
    with pytest.raises(ConfigError, match="goes through a setting that has a value already"):
        parsed(GOOD, ENDCAP__SHOP__PROJECT__DEEPER="1")


def test_a_fault_of_the_environment_names_the_variable():
    text = told(GOOD, ENDCAP__SESSIONS__GAP="3", ENDCAP__SESIONS__GAP_MINUTES="20", ENDCAP__ENGINE__THREADS="many")
    for name in ("ENDCAP__SESSIONS__GAP", "ENDCAP__SESIONS__GAP_MINUTES", "ENDCAP__ENGINE__THREADS"):
        assert f"(set by the environment variable {name})" in text
    assert "names no setting" in told(GOOD, ENDCAP__="3")


@pytest.mark.parametrize(
    "line", ['[sessions]\ngap_minutes = "20"', "[models.two_tower]\nbatch = true", "[models.two_tower]\nbatch = 3.5"]
)
def test_a_value_of_another_type_is_not_guessed_at(line):
    assert "cannot be used" in told(f"{GOOD}{line}\n")


def test_a_whole_number_may_stand_for_a_fraction_and_a_list_for_several():
    config = parsed(GOOD + '[models]\ntrain = ["popular"]\n[models.two_tower]\ndropout = 0\n')
    assert (config.models.train, config.models.two_tower.dropout) == (("popular",), 0.0)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('[serving.placements.home]\nmodel = "two_towr"', "did you mean 'two_tower'?"),
        ('[serving.placements.product]\nsources = ["popluar"]', "did you mean 'popular'?"),
        ('[monitoring]\nmeasure = "hr@7"', "'hr@7' is not measured"),
        ("[models.others.popular]\nwindow_days = 7", "others.popular would be ignored"),
        ("[models.item_markov]\ndecay = 3", "$.models.item_markov.decay"),
    ],
)
def test_what_names_nothing_that_there_is_is_told(line, what):
    assert what in told(f"{GOOD}{line}\n")


def test_a_file_that_is_not_utf_8_is_told(tmp_path):
    (tmp_path / "endcap.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8") as error:
        load_config(tmp_path / "endcap.toml")
    assert error.value.code is Code.CONFIG_INVALID


def test_a_folder_without_a_shop_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigError) as error:
        load_config(tmp_path / "endcap.toml", {})
    assert error.value.code is Code.CONFIG_MISSING
    assert "endcap init" in str(error.value)


def test_the_digest_depends_on_what_is_understood_and_not_on_how_it_is_written():
    assert parsed(GOOD).digest() == parsed(GOOD + "# a comment\n[sessions]\ngap_minutes = 30\n").digest()
    assert parsed(GOOD).digest() != parsed(GOOD + "[sessions]\ngap_minutes = 31\n").digest()


def test_every_setting_has_a_description():
    schema = ShopConfig.model_json_schema()
    silent = [
        f"{name}.{key}"
        for name, part in schema["$defs"].items()
        for key, field in part.get("properties", {}).items()
        if key != "kind" and not field.get("description") and "const" not in field
    ]
    assert silent == []


def test_how_many_processes_share_a_fit_counts_for_no_fingerprint_but_their_parts_do():
    ranks, parts, one = (parsed(GOOD + f"[models.training]\n{text}\n") for text in ("ranks = 2", "parts = 2", ""))
    assert ranks.counted("models") == parts.counted("models") != one.counted("models")
    assert ranks.plain()["models"]["training"]["ranks"] == 2
    assert ranks.counted() == {}
    assert ranks.counted("sessions") == ranks.plain("sessions")
