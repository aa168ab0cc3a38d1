"""endcap.toml as one model: each room's settings under its own name, read, overridden by the environment, checked."""

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from endcap.core.errors import Code, ConfigError, near
from endcap.core.ids import digest_of
from endcap.events.config import EventsConfig
from endcap.events.identity_config import IdentitiesConfig
from endcap.features.config import FeaturesConfig
from endcap.index.config import IndexConfig
from endcap.models.config import OURS, ModelsConfig
from endcap.monitoring.config import MonitoringConfig
from endcap.serving.config import ServingConfig
from endcap.sessions.config import SessionsConfig
from endcap.stores.config import StoresConfig, TrackingConfig

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
    keep_raw_ids: bool = Field(
        default=True,
        description="Whether people/raw_ids.db keeps, sealed under keys/raw_ids.key, whose each keyed hash is. true: "
        "what was computed can be joined back to customers. Days taken in before are not looked at again.",
    )
    keep_bundles: int = Field(
        10,
        ge=2,
        le=1000,
        description="Latest bundles that stay on disk to go back to. 10: a week of daily refreshes and more.",
    )


class EngineSettings(BaseModel):
    """The engine that computes tables."""

    model_config = _frozen

    name: Literal["duckdb", "spark"] = Field(
        "duckdb",
        description="duckdb: in this process, quickest on one machine. spark: on a cluster or this machine; "
        "needs endcap[spark] and Java 17. Both give the same rows; see docs/engines.md.",
    )
    master: str = Field(
        "local[*]",
        description="Where Spark runs: local[*], spark://HOST:7077 or sc://HOST:15002 (Spark Connect). local[*]: no "
        "cluster is needed. The shop's folder must lie under the same path on every worker.",
    )
    memory_limit: str = Field(
        "4GB",
        pattern=r"^[0-9]+(\.[0-9]+)?(MB|GB|TB)$",
        description="Memory for tables; beyond it, DuckDB spills to disk. Spark: each process.",
    )
    threads: int = Field(0, ge=0, le=1024, description="Threads, or cores of a cluster; 0 takes all.")
    rows_at_once: int = Field(
        5_000_000,
        ge=1,
        description="Rows of days that are done in one attempt; days beyond are done in the next one. A row that comes "
        "to many, as a session's to its examples, counts as many. 5,000,000: a few GB in memory, and what is lost by a "
        "kill is made again in minutes.",
    )


class ShopConfig(BaseModel):
    """The whole of endcap.toml. Every section but `[shop]` and `[events]` may be left out."""

    model_config = _frozen

    shop: ShopSettings
    engine: EngineSettings = Field(default_factory=EngineSettings)
    stores: StoresConfig = Field(default_factory=StoresConfig)
    events: EventsConfig
    identities: IdentitiesConfig = Field(default_factory=IdentitiesConfig)
    sessions: SessionsConfig = Field(default_factory=SessionsConfig)
    features: FeaturesConfig = Field(default_factory=FeaturesConfig)
    models: ModelsConfig = Field(default_factory=ModelsConfig)
    index: IndexConfig = Field(default_factory=IndexConfig)
    serving: ServingConfig = Field(default_factory=ServingConfig)
    monitoring: MonitoringConfig = Field(default_factory=MonitoringConfig)
    tracking: TrackingConfig = Field(default_factory=TrackingConfig)

    @model_validator(mode="after")
    def _names_what_there_is(self) -> "ShopConfig":
        """Accept models and measures that other sections know."""
        known = {*self.models.train, *OURS}
        for place in type(self.serving.placements).model_fields:
            placement = getattr(self.serving.placements, place)
            for name in (*placement.sources, *([placement.model] if placement.model else [])):
                if name not in known:
                    raise ValueError(f"serving.placements.{place} names the model '{name}'; {near(name, known)}")
        measured = self.models.evaluation.measures()
        if self.monitoring.measure not in measured:
            raise ValueError(f"monitoring.measure '{self.monitoring.measure}' is not measured; "
                             f"{near(self.monitoring.measure, measured)}")  # fmt: skip
        return self

    def plain(self, *sections: str) -> dict[str, Any]:
        """Return sections as plain values, for manifests; all of them when none is named."""
        return self.model_dump(mode="json", include=set(sections) if sections else None)

    def counted(self, *sections: str) -> dict[str, Any]:
        """Return sections as plain values, for fingerprints: how many processes share a fit changes no model."""
        found = self.plain(*sections) if sections else {}
        if "models" in found:
            found["models"]["training"] = self.models.training.counted()
        return found

    def digest(self) -> str:
        """Return the digest of the configuration as understood.

        Where things lie or are told, and who shares a fit, does not count.
        """
        return digest_of(
            self.counted(*(name for name in type(self).model_fields if name not in ("stores", "tracking")))
        )


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
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"this file is not UTF-8: byte {error.start} cannot be read",
            where=str(path),
            fix="save it as UTF-8",
            code=Code.CONFIG_INVALID,
        ) from error
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
    named = {name: value for name, value in sorted(environment.items()) if name.startswith(ENVIRONMENT_PREFIX)}
    for name, value in named.items():
        _override(settings, name, value)
    try:
        # As JSON and strictly: "20" is no number and 1 is no boolean, while lists may stand for tuples.
        return ShopConfig.model_validate_json(json.dumps(settings, default=str), strict=True)
    except ValidationError as error:
        faults = list(_faults(error, {_path_of(name): name for name in named}))
        raise ConfigError(
            f"{len(faults)} setting{'s' if len(faults) > 1 else ''} cannot be used:\n    " + "\n    ".join(faults),
            where=where,
            fix="mend these settings; endcap.schema.json beside the file lists them all",
            code=Code.CONFIG_INVALID,
        ) from error


def _path_of(name: str) -> tuple[str, ...]:
    """Return the path that an environment variable names."""
    return tuple(name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"))


def _override(settings: dict[str, Any], name: str, value: str) -> None:
    """Put one environment variable into the settings."""
    path = _path_of(name)
    if "" in path:
        raise ConfigError(
            f"the environment variable {name} names no setting",
            fix="name it ENDCAP__SECTION__KEY, or take it away",
            code=Code.CONFIG_KEY,
        )
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


def _faults(error: ValidationError, variables: Mapping[tuple[str, ...], str]) -> Iterator[str]:
    """Tell each fault with its path into the file, and the variable of the environment that set it."""
    told = set()
    for fault in error.errors():
        # Which option of a union was tried ("constrained-float") is no part of the file.
        loc = [part for part in fault["loc"] if isinstance(part, int) or re.fullmatch(r"\w+", part)]
        path = "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
        if fault["type"] == "extra_forbidden":
            what = f"unknown setting at {path}; {near(str(loc[-1]), _known_at(fault['loc'][:-1]))}"
        elif fault["type"] == "missing":
            what = f"missing setting at {path}"
        elif fault["type"] == "value_error":
            what = f"{fault['msg'].removeprefix('Value error, ')}, at {path}"
        else:
            what = f"{fault['msg']}, found {json.dumps(fault['input'])} at {path}"
        names = [name for at, name in variables.items() if all(a == str(b) for a, b in zip(at, loc, strict=False))]
        what += f" (set by the environment variable {names[0]})" if names and loc else ""
        if what not in told:
            told.add(what)
            yield what


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
