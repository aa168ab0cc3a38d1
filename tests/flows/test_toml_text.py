import tomllib

from pydantic import BaseModel, Field

from endcap.flows.toml_text import commented_section


class Limits(BaseModel):
    """Two limits."""

    warn: float = Field(1.0, description="warns beyond it")
    bad: float = Field(2.0, description="is bad beyond it")


class Deep(BaseModel):
    """Something with many settings."""

    a: int = Field(1, description="first")
    b: str = Field("two", description="second")
    c: tuple[int, ...] = Field((5, 10), description="third")
    d: bool = Field(default=True, description="fourth")


class Settings(BaseModel):
    """What it is about."""

    gap_minutes: int = Field(30, description="Minutes of silence.")
    limits: Limits = Field(Limits(), description="Both limits.")
    both: tuple[Limits, ...] = Field((Limits(), Limits(warn=3.0)), description="A list of them.")
    deep: Deep = Field(Deep(), description="More.")


TEXT = commented_section("sessions", Settings())


def uncommented(text):
    """Take the comment sign off settings and heads, leave it on their descriptions."""
    lines = [line.removeprefix("# ") if "=" in line or line.startswith("# [") else line for line in text.split("\n")]
    return "\n".join(lines)


def test_as_it_stands_it_sets_nothing():
    assert tomllib.loads(TEXT) == {"sessions": {}}


def test_with_the_comment_signs_taken_away_it_sets_every_default():
    found = tomllib.loads(uncommented(TEXT))["sessions"]
    assert Settings.model_validate(found) == Settings()
    assert found["limits"] == {"warn": 1.0, "bad": 2.0}
    assert found["both"] == [{"warn": 1.0, "bad": 2.0}, {"warn": 3.0, "bad": 2.0}]


def test_every_description_stands_under_its_setting():
    assert "# gap_minutes = 30\n#   Minutes of silence.\n" in TEXT
