"""The last step before a log line is written: nothing that identifies a customer or opens a door passes it."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, Final

from gateway.privacy.masks import MASK, mask

MAX_DEPTH: Final = 8
"""Levels of nested values; what lies deeper is shown as text."""

# A number given as an integer looks like any quantity, so there the name of its field decides.
_NUMBER_FIELDS: Final = frozenset(
    {"msisdn", "imsi", "iccid", "imei", "eid", "number", "sender", "recipient", "subject"}
)
_SECRET_FIELDS: Final = frozenset({"ki", "opc", "op", "key", "token", "password", "secret", "authorization", "pac"})


def mask_fields(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask every value of a log entry, nested ones too; the field names themselves are ours. A structlog processor."""
    return {name: _field(name, value, 0) for name, value in fields.items()}


def _field(name: str, value: object, depth: int) -> object:
    lowered = name.lower()
    if lowered in _SECRET_FIELDS and value is not None:
        return MASK
    if lowered in _NUMBER_FIELDS and isinstance(value, int) and not isinstance(value, bool):
        return mask(str(value))
    return _masked(value, depth)


def _masked(value: object, depth: int) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return mask(str(value))
    if depth < MAX_DEPTH:
        if isinstance(value, Mapping):
            return {mask(str(name)): _field(str(name), item, depth + 1) for name, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [_masked(item, depth + 1) for item in value]
    return mask(_text(value))


def _text(value: object) -> str:
    try:
        return repr(value) if isinstance(value, bytes | bytearray | Mapping | list | tuple) else str(value)
    except Exception as error:  # noqa: BLE001  (a log line must not fail because of what it tells of)
        return f"<{type(value).__name__}: {type(error).__name__}>"
