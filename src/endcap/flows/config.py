"""endcap.toml as one model: each room's settings under its own name, read, overridden by the environment, checked."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from endcap.core.errors import Code, ConfigError, near
from endcap.core.ids import digest_of
from endcap.events.config import EventsConfig
from endcap.features.config import FeaturesConfig
from endcap.index.config import IndexConfig
from endcap.models.config import ModelsConfig
from endcap.monitoring.config import MonitoringConfig
from endcap.serving.config import ServingConfig
from endcap.sessions.config import SessionsConfig

__all__ = ["ENVIRONMENT_PREFIX", "EngineSettings", "ShopConfig", "ShopSettings", "load_config", "parse_config"]

ENVIRONMENT_PREFIX = "ENDCAP__"
"""`ENDCAP__SECTION__KEY=value` overrides `[section] key`; values are read as TOML, else as text."""

_frozen = ConfigDict(frozen=True, extra="forbid")


class ShopSettings(BaseModel):
    """Whose shop it is, and the seed of everything drawn for it."""

    model_config = _frozen

    project: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="Name of the shop; one shop is one project."
    )
    organisation: str = Field("local", pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="Who owns the shop.")
    region: str = Field("local", description="Where its data may lie; stands in every manifest and ledger row.")
    seed: int = Field(
        17, ge=0, lt=2**31, description="Seed of every draw; the same data and seed give the same models."
    )


class EngineSettings(BaseModel):
    """The engine that computes tables."""

    model_config = _frozen

    memory_limit: str = Field(
        "4GB",
        pattern=r"^[0-9]+(\.[0-9]+)?(MB|GB|TB)$",
        description="Memory for tables; beyond it, DuckDB spills to disk.",
    )
    threads: int = Field(0, ge=0, le=1024, description="Threads; 0 takes every core.")


class ShopConfig(BaseModel):
    """The whole of endcap.toml. Every section but `[shop]` and `[events]` may be left out."""

    model_config = _frozen

    shop: ShopSettings
    engine: EngineSettings = Field(default_factory=EngineSettings)
    events: EventsConfig
    sessions: SessionsConfig = Field(default_factory=SessionsConfig)
    features: FeaturesConfig = Field(default_factory=FeaturesConfig)
    models: ModelsConfig = Field(default_factory=ModelsConfig)
    index: IndexConfig = Field(default_factory=IndexConfig)
    serving: ServingConfig = Field(default_factory=ServingConfig)
    monitoring: MonitoringConfig = Field(default_factory=MonitoringConfig)

    def plain(self, *sections: str) -> dict[str, Any]:
        """Return sections as plain values, for fingerprints and manifests; all of them when none is named."""
        return self.model_dump(mode="json", include=set(sections) if sections else None)

    def digest(self) -> str:
        """Return the digest of the whole configuration as understood."""
        return digest_of(self.plain())


def load_config(path: Path, environment: Mapping[str, str] = os.environ) -> ShopConfig:
    """Read endcap.toml.

    Args:
        path: The file.
        environment: Where overrides are looked for.

    Raises:
        ConfigError: The file is missing or no TOML, or settings are unknown or out of range; all of them are listed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(
            "there is no shop here",
            where=str(path),
            fix=f"make one with `endcap init {path.parent} --source FOLDER`, or name the folder of another",
            code=Code.CONFIG_MISSING,
        ) from error
    return parse_config(text, where=str(path), environment=environment)


def parse_config(text: str, *, where: str, environment: Mapping[str, str]) -> ShopConfig:
    """Check the text of an endcap.toml; see `load_config`."""
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"this is no TOML: {error}",
            where=where,
            fix="mend that line; strings stand in double quotes",
            code=Code.CONFIG_INVALID,
        ) from error
    for name, value in sorted(environment.items()):
        if name.startswith(ENVIRONMENT_PREFIX):
            _override(settings, name, value)
    try:
        return ShopConfig.model_validate(settings)
    except ValidationError as error:
        faults = list(_faults(error))
        raise ConfigError(
            f"{len(faults)} setting{'s' if len(faults) > 1 else ''} cannot be used:\n    " + "\n    ".join(faults),
            where=where,
            fix="mend these lines; endcap.schema.json beside the file lists every setting",
            code=Code.CONFIG_INVALID,
        ) from error


def _override(settings: dict[str, Any], name: str, value: str) -> None:
    """Put one environment variable into the settings."""
    path = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
    place = settings
    for part in path[:-1]:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise ConfigError(
                f"the environment variable {name} goes through a setting that has a value already",
                where=f"$.{'.'.join(path)}",
                fix="correct the name: ENDCAP__SECTION__KEY",
                code=Code.CONFIG_KEY,
            )
    try:
        place[path[-1]] = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        place[path[-1]] = value


def _faults(error: ValidationError) -> Iterator[str]:
    """Tell each fault with its path into the file."""
    for fault in error.errors():
        path = "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            yield f"unknown setting at {path}; {near(str(fault['loc'][-1]), _known_at(fault['loc'][:-1]))}"
        elif fault["type"] == "missing":
            yield f"missing setting at {path}"
        else:
            yield f"{fault['msg']}, found {fault['input']!r} at {path}"


def _known_at(path: tuple[int | str, ...]) -> list[str]:
    """Return the settings known at a path, as far as it can be followed through the schema."""
    schema = ShopConfig.model_json_schema()
    at: dict[str, Any] = schema
    for part in path:
        options = [_resolved(schema, option) for option in at.get("anyOf", at.get("oneOf", [at]))]
        following = [option["properties"][part] for option in options if part in option.get("properties", {})]
        if not following:  # the tag of a union, or a place in a list
            tagged = [each for each in options if each.get("properties", {}).get("kind", {}).get("const") == part]
            at = tagged[0] if tagged else _resolved(schema, at.get("items", at.get("additionalProperties") or at))
            continue
        at = _resolved(schema, following[0])
    options = [_resolved(schema, option) for option in at.get("anyOf", at.get("oneOf", [at]))]
    return [name for option in options for name in option.get("properties", {})]


def _resolved(schema: dict[str, Any], at: Any) -> dict[str, Any]:
    while isinstance(at, dict) and "$ref" in at:
        at = schema["$defs"][at["$ref"].rsplit("/", 1)[1]]
    return at if isinstance(at, dict) else {}
