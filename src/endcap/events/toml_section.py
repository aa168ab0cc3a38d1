"""`[events]` of endcap.toml as commented text, from what was detected."""

from typing import Any

import msgspec
from pydantic import TypeAdapter

from endcap.events.catalogue_config import MerchantCatalogue
from endcap.events.config import EventsConfig
from endcap.events.detected import Detected
from endcap.events.place_config import DatabaseSource, ObjectSettings
from endcap.events.reader_config import AnyReader, MappedReader

__all__ = ["toml_section"]

_COMMENTED = (
    "default_currency",
    "max_price",
    "max_quantity",
    "future_tolerance_s",
    "max_bad_share",
    "allow_empty_days",
)


def toml_section(detected: Detected) -> str:
    """Write the tables `[events]`, `[events.reader]` and `[events.catalogue]` with a comment on every line.

    `[events.objects]` and `[events.database]` stand there where something is said of them.

    Settings at their default stand as comments, so that a reader sees what there is; columns of a flat file that
    nothing was guessed for are listed at the end of `[events.reader]`.
    """
    settings = detected.settings
    top: dict[str, Any] = {**settings, "source": detected.folder}
    lines = ["[events]"]
    for name in ("source", *_COMMENTED, "renames", "folds"):
        lines += _setting(EventsConfig, name, top.get(name))
    lines += ["", "[events.reader]", *_reader(detected)]
    lines += ["", "[events.catalogue]", *_catalogue(settings.get("catalogue", {"kind": "none"}))]
    for name, model in (("objects", ObjectSettings), ("database", DatabaseSource)):
        if name in settings:
            lines += ["", f"[events.{name}]"]
            lines += [line for each in model.model_fields for line in _setting(model, each, settings[name].get(each))]
    return "\n".join(lines) + "\n"


def _catalogue(settings: dict[str, Any]) -> list[str]:
    """Write what was found, and what there may be by day."""
    if settings["kind"] == "none":
        return [_pair("kind", "none")]
    by_day = ("feeds", "updates")
    return [
        *[_pair(name, value) for name, value in settings.items() if name not in by_day],
        *[line for name in by_day for line in _setting(MerchantCatalogue, name, settings.get(name))],
    ]


def _reader(detected: Detected) -> list[str]:
    reader = detected.settings["reader"]
    if detected.kind != "mapped":
        model = type(TypeAdapter(AnyReader).validate_python(reader))
        settings = [name for name in model.model_fields if name != "kind"]
        return [
            _pair("kind", detected.kind),
            *[line for name in settings for line in _setting(model, name, reader.get(name))],
        ]
    lines = [_pair("kind", "mapped")]
    chosen = (
        "files",
        "time",
        "time_unit",
        "timezone",
        "event_name",
        "constant_event_name",
        "rules",
        "keep",
        "event_columns",
    )
    for name in (*chosen, *[name for name in MappedReader.model_fields if name not in (*chosen, "kind")]):
        lines += _setting(MappedReader, name, reader.get(name))
    if detected.unsure:
        lines.append("# Columns that nothing was guessed for:")
        lines += [f"#   {name}: {kind}" for name, kind in detected.unsure.items()]
    return lines


def _setting(model: Any, name: str, value: Any) -> list[str]:
    """Write one setting under its description; as a comment with its default where nothing is known."""
    field = model.model_fields[name]
    described = f"# {field.description}"
    if value is not None:
        return [described, _pair(name, value)]
    default = field.get_default(call_default_factory=True) if not field.is_required() else ""
    shown = '""' if default is None or default == "" else _toml(default)
    return [described, f"# {name} = {shown}"]


def _pair(name: str, value: Any) -> str:
    return f"{name} = {_toml(value)}"


def _toml(value: Any) -> str:
    """Write a value as TOML on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_toml(each)}" for key, each in value.items()) + " }" if value else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    return msgspec.json.encode(value).decode()  # TOML's text, numbers and booleans are JSON's


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else _toml(name)
