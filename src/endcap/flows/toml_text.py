"""Settings as commented TOML: every default stands in the file, commented out, under its own description."""

import json
import textwrap
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

__all__ = ["commented_section"]

_FEW = 3
"""Settings that fit a line."""


def commented_section(name: str, settings: BaseModel, *, is_nested: bool = False) -> str:
    """Return a section of endcap.toml in which every setting stands as a comment with its default.

    Args:
        name: The section's path, such as "sessions".
        settings: The settings in force by default.
        is_nested: Whether the head is a comment too: an empty nested table would lack its settings.

    Returns:
        Lines that end in a line break; nested settings follow as sections of their own.
    """
    plain, nested = [], []
    for key, field in type(settings).model_fields.items():
        value = getattr(settings, key)
        if _is_plain(value):
            plain.append(_setting(key, field, value))
        elif isinstance(value, BaseModel):
            nested.append(commented_section(f"{name}.{key}", value, is_nested=True))
    about = textwrap.fill(
        (type(settings).__doc__ or "").split("\n")[0], 116, initial_indent="# ", subsequent_indent="# "
    )
    head = f"\n{'# ' if is_nested else ''}[{name}]\n{about}\n"
    return head + "".join(plain) + "".join(nested)


def _setting(key: str, field: FieldInfo, value: Any) -> str:
    about = textwrap.fill(field.description or "", 116, initial_indent="#   ", subsequent_indent="#   ")
    return f"# {key} = {_toml(value)}\n{about}\n"


def _is_plain(value: Any) -> bool:
    """Whether a value fits a line: a number, a text, a few of them under names, or a list of such."""
    if isinstance(value, BaseModel):
        return len(type(value).model_fields) <= _FEW and all(_is_plain(each) for _, each in value)
    if isinstance(value, list | tuple):
        return all(_is_plain(each) for each in value)
    return isinstance(value, str | int | float | bool)


def _toml(value: Any) -> str:
    """Write a plain value; JSON's strings, numbers and lists are TOML's."""
    if isinstance(value, BaseModel):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)
