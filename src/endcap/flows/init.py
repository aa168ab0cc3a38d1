"""Making a shop: look at an export, then write endcap.toml with all settings, its JSON Schema and a key."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from endcap.core.clock import Clock, system_clock
from endcap.core.currency import CURRENCIES
from endcap.core.errors import Code, ConfigError, near
from endcap.events.detect import detect
from endcap.events.toml_section import toml_section
from endcap.flows.config import ShopConfig, parse_config
from endcap.flows.init_places import Place, looked_at
from endcap.flows.shop import Shop, make_key, write_atomically
from endcap.flows.toml_text import commented_section
from endcap.flows.wiring.batch import open_engine, open_ledger
from endcap.governance.access import Action, local_actor, require

__all__ = ["Made", "init_shop"]


@dataclass(frozen=True)
class Made:
    """What `init_shop` did.

    Args:
        config: The configuration written.
        found: Lines about what the export holds.
        ignored: Lines about what will not be used, and why.
    """

    config: Path
    found: list[str]
    ignored: list[str]


def init_shop(
    root: Path,
    *,
    source: Path | Place,
    columns: Mapping[str, str] | None = None,
    currency: str = "",
    clock: Clock = system_clock,
) -> Made:
    """Make a shop in a folder.

    Args:
        root: The folder; made if it is not there.
        source: Folder of the export, or the place from which it is pulled.
        columns: Setting of the reader -> column of a flat file; what is not said is guessed.
        currency: ISO 4217 code of prices whose currency nothing names; "" for what the export says.
        clock: The clock, for the audit log.

    Raises:
        ConfigError: There is a shop already (SHOP_EXISTS).
        SourceError: The export is missing or cannot be reached, or nothing in it is understood.
        UsageError: The source and what is said of it do not fit.
    """
    config = root / "endcap.toml"
    if config.exists():
        raise ConfigError(
            "there is a shop here already",
            where=str(config),
            fix="edit that file, or name another folder",
            code=Code.SHOP_EXISTS,
        )
    if currency and currency not in CURRENCIES:
        raise ConfigError(
            f"'{currency}' is no currency; {near(currency, CURRENCIES)}",
            where="--currency",
            fix="write the ISO 4217 code, such as EUR",
            code=Code.CONFIG_INVALID,
        )
    with (
        looked_at(root, source if isinstance(source, Place) else Place(str(source))) as place,
        TemporaryDirectory(prefix="endcap-init-") as scratch,
        open_engine(Path(scratch)) as engine,
    ):
        seen = detect(engine, place.folder, columns=columns, currency=currency)
    seen = replace(
        seen, folder=place.source, settings={**seen.settings, **place.settings}, found=[*place.found, *seen.found]
    )
    text = _config_text(_project_name(root), toml_section(seen))
    shop = Shop(root.resolve(), parse_config(text, where=str(config), environment={}))
    for name in ("user", "raw_ids"):
        make_key(root / "keys" / f"{name}.key")
    schema = json.dumps(ShopConfig.model_json_schema(), indent=1, sort_keys=True)
    write_atomically(root / "endcap.schema.json", schema.encode() + b"\n")
    with open_ledger(shop) as ledger:
        require(local_actor(), Action.SHOP_INIT, shop.resource("shop"), audit=ledger.audit, at_us=clock())
    write_atomically(config, text.encode())  # last: a folder without it is no shop, and init can be run again
    return Made(config, seen.found, seen.ignored)


def _config_text(project: str, events: str) -> str:
    defaults = ShopConfig.model_validate({"shop": {"project": project}, "events": {"source": "."}})
    head = f"""#:schema ./endcap.schema.json
# The settings of this shop. What stands here as a comment is the default; take away the # to change it.
# `ENDCAP__SECTION__KEY=value` in the environment overrides a setting.

[shop]
project = "{project}"
"""
    others = [name for name in ShopConfig.model_fields if name not in ("shop", "events")]
    shop_rest = commented_section("shop", defaults.shop).split("\n", 3)[3]
    shop_rest = "\n".join(line for line in _without(shop_rest, "project"))
    return (
        head + shop_rest + "\n" + events + "".join(commented_section(name, getattr(defaults, name)) for name in others)
    )


def _without(text: str, key: str) -> list[str]:
    """Leave a setting and its description out of a commented section."""
    lines, skipping = [], False
    for line in text.rstrip("\n").split("\n"):
        if not line.startswith("#   "):
            skipping = line.startswith(f"# {key} =")
        if not skipping:
            lines.append(line)
    return lines


def _project_name(root: Path) -> str:
    name = re.sub(r"[^a-z0-9_-]+", "-", root.resolve().name.lower()).strip("-_")[:63]
    return name or "shop"
