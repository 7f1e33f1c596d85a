"""Show the settings in force, secrets masked, in the shape of the file."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import msgspec

from gateway.events.times import rfc3339
from gateway.messaging.keywords.catalogue import KeywordBook
from gateway.privacy.masks import MASK, Secret
from gateway.rating.plans import Bundle, Cap, Rate
from gateway.rating.taxes import AddedTax, TaxRate, percent
from gateway.settings.loading import Settings
from gateway.settings.sections.section import Section
from gateway.settings.top_level import FILES, SECTIONS
from gateway.settings.values import Endpoint


def shown(settings: Settings) -> dict[str, object]:
    """Return every setting with its default filled in, as plain JSON values: durations in seconds, paths absolute."""
    sections = {name: _shown(getattr(settings, name)) for name in SECTIONS}
    files = {name: _shown(getattr(settings, name)) for name in FILES}
    return {"file": str(settings.file), **sections, **files}


def _shown(value: object) -> object:
    match value:
        case Secret():
            source, _, name = value.origin.partition(":")
            return {source: name} if name else MASK
        case Section():
            return {name: _shown(getattr(value, name)) for name in type(value).model_fields}
        case Rate():
            money = {name: _in_major_units(getattr(value, name)) for name in ("price", "connection")}
            return {name: _shown(item) for name, item in msgspec.structs.asdict(value).items()} | money
        case TaxRate() | AddedTax():
            return _tax(value)
        case Bundle() | Cap():
            return {**msgspec.structs.asdict(value), "price": _in_major_units(value.price)}
        case KeywordBook():
            gift = {"minimum": _in_major_units(value.minimum), "maximum": _in_major_units(value.maximum)}
            return {
                "language": value.language,
                "gift": gift,
                "causes": _shown(value.causes),
                "languages": _shown(value.languages),
            }
        case msgspec.Struct():
            return {name: _shown(item) for name, item in msgspec.structs.asdict(value).items()}
        case dict():
            return {str(name): _shown(item) for name, item in value.items()}
        case Endpoint() | Path() | StrEnum():
            return str(value)
        case list() | tuple():
            return [_shown(item) for item in value]
        case _:
            return value


def _tax(value: TaxRate | AddedTax) -> dict[str, object]:
    since = {"valid_from": rfc3339(value.valid_from)}
    if isinstance(value, TaxRate):
        return {"kind": value.kind, "percent": percent(value.rate), **since}
    shares = {"percent": percent(value.rate), "of": percent(value.of), "fixed": _in_major_units(value.fixed)}
    return {"name": value.name, "kind": value.kind, **shares, **since, "zips": list(value.zips)}


def _in_major_units(micro: int) -> str:
    text = f"{Decimal(micro).scaleb(-6):f}".rstrip("0")
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals:0<2}"
