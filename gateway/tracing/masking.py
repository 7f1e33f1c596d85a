"""One captured message as others may see it: the same length and the same form, without what identifies or unlocks.

Keys, passwords and tokens are overwritten always. Numbers, texts, places and equipment are, unless content is asked for.
What is not known is overwritten as well: a frame stays one that decodes, as only values change, never a length.
"""

import re
from typing import Final

from gateway.tracing import diameter_offsets, smpp_offsets
from gateway.tracing.number_mask import hidden, hidden_all, hidden_keys
from protocols.diameter.codec import HEADER_SIZE as DIAMETER_HEADER
from protocols.diameter.dictionary import AvpType
from protocols.smpp.codec import HEADER_SIZE as SMPP_HEADER
from protocols.smpp.codec import CommandId
from protocols.smpp.fields import UInt, plan
from protocols.smpp.messages import COMMANDS
from protocols.smpp.receipts import is_receipt
from protocols.smpp.tags import Tag
from protocols.tap import Captured

_UDHI: Final = 0x40
_KEPT_ELEMENTS: Final = frozenset({0x00, 0x04, 0x05, 0x08, 0x24, 0x25})
"""Information elements of a text's header that tell nothing of it: parts, ports, tables (TS 23.040 §9.2.3.24)."""
_BINDS: Final = frozenset(
    {CommandId.BIND_RECEIVER, CommandId.BIND_TRANSMITTER, CommandId.BIND_TRANSCEIVER, CommandId.OUTBIND}
)
_PLAIN: Final = frozenset({"message_id", "system_id", "service_type"})
_TEXTS: Final = frozenset({"short_message", "message_payload"})
_RECEIPT: Final = re.compile(
    rb"\bid:[ ]?[\w-]{1,64}|\b(?:sub|dlvrd|err):[ ]?[0-9A-Fa-f]{1,6}\b|\b(?:submit|done) date:[ ]?\d{10,14}\b"
    rb"|\bstat:[ ]?[A-Za-z]{1,10}\b"
)
_RECEIPT_TEXT: Final = re.compile(rb"text:", re.IGNORECASE)

_TEXT_AVPS: Final = frozenset(
    {
        "Session-Id", "Error-Message", "Service-Context-Id", "Product-Name", "Charging-Rule-Base-Name",
        "Called-Station-Id", "3GPP-IMSI-MCC-MNC", "3GPP-GGSN-MCC-MNC", "3GPP-SGSN-MCC-MNC", "3GPP-Selection-Mode",
        "3GPP-NSAPI", "3GPP-Charging-Characteristics", "3GPP-Session-Stop-Indicator",
    }
)  # fmt: skip
"""Texts that are shown, but for numbers in them; every other text is overwritten."""
_OCTET_AVPS: Final = frozenset({"3GPP-RAT-Type"})
_NODE_ADDRESSES: Final = frozenset({"Host-IP-Address", "SGSN-Address", "GGSN-Address", "CG-Address"})
_SECRET_AVPS: Final = re.compile(
    r"Password|Secret|-Key$|Authenticat(?:or|ion-Info)|SIP-Auth|E2E-Sequence", re.IGNORECASE
)
_SHOWN_TYPES: Final = frozenset(
    {
        AvpType.INTEGER32, AvpType.INTEGER64, AvpType.UNSIGNED32, AvpType.UNSIGNED64, AvpType.FLOAT32,
        AvpType.FLOAT64, AvpType.ENUMERATED, AvpType.TIME,
    }
)  # fmt: skip

_KEY_NAMES: Final = (
    rb"(?:e?ki|opc?|k|psk|key|apikey|api_key|token|\w*_?token|secret|\w*_?secret|password|passwd|pwd|pin[12]?|puk[12]?"
    rb"|adm\d?|authorization|activation_?code|matching_?id|confirmation_?code|credentials?)"
)
_STRING: Final = rb'"((?:[^"\\]|\\.)*)"'
_SECRETS: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rb'"' + _KEY_NAMES + rb'"\s*:\s*' + _STRING,
        rb'"' + _KEY_NAMES + rb'"\s*:\s*(\d+)',
        rb'"name"\s*:\s*"' + _KEY_NAMES + rb'"[^{}]{0,200}?"value"\s*:\s*' + _STRING,
        rb'"name"\s*:\s*"' + _KEY_NAMES + rb'"[^{}]{0,200}?"value"\s*:\s*\{[^{}]{0,200}?"value"\s*:\s*' + _STRING,
        rb'"value"\s*:\s*' + _STRING + rb'[^{}]{0,200}?"name"\s*:\s*"' + _KEY_NAMES + rb'"',
        rb"<(?:\w+:)?" + _KEY_NAMES + rb"(?:\s[^<>]*)?>([^<]*)<",
        rb"(?<![\w-])" + _KEY_NAMES + rb"=([^&\s\"]+)",
        rb"(?<![\w-])" + _KEY_NAMES + rb"[ \t]+([0-9a-f]{8,})\b",
        rb"\b(?:Authorization|Cookie|Set-Cookie|X-Api-Key)[ \t]*:[ \t]*([^\r\n]+)",
        rb"\bBearer[ ]+([\w.~+/=-]+)",
        rb"listener(?:/|\\/|%2F)([^/\s?\"\\%]+)",
        rb"\bLPA:1\$([^\s\"<]+)",
    )
)
_PRIVATE: Final = re.compile(
    rb'"(?:text|content|message|note|latitude|longitude|location|street\w*|city|postcode|e?mail\w*|givenName|familyName)"'
    rb"\s*:\s*" + _STRING,
    re.IGNORECASE,
)
"""What a host's interface says of people and places: hidden with the numbers."""


def masked(captured: Captured, *, show_content: bool = False) -> bytes:
    """Return the message's octets as they may be shown; always as many as there are."""
    match captured.protocol:
        case "smpp":
            return _smpp(captured.message, show_content=show_content)
        case "diameter":
            return _diameter(captured.message, show_content=show_content)
        case _:
            return _host(captured.message, show_content=show_content)


def header_only(protocol: str, message: bytes, *, show_content: bool = False) -> bytes:
    """Return octets that could not be read: the header's alone or, if content is asked for, all but of a bind."""
    size = SMPP_HEADER if protocol == "smpp" else DIAMETER_HEADER
    if show_content and protocol == "diameter":
        return _diameter(message, show_content=True)
    if show_content and int.from_bytes(message[4:8], "big") not in _BINDS:
        return message
    return message[:size] + b"*" * max(0, len(message) - size)


def _smpp(message: bytes, *, show_content: bool) -> bytes:
    out = bytearray(message)
    command_id = int.from_bytes(message[4:8], "big")
    found = smpp_offsets.parts(message)
    esm_class = next((message[part.start] for part in found if part.name == "esm_class"), 0)
    for part in found:
        data = message[part.start : part.end]
        secret = part.name == "password" or (part.name == smpp_offsets.REST and command_id in _BINDS)
        if secret or not show_content:
            out[part.start : part.end] = _parameter(part, data, command_id, esm_class)
    return bytes(out)


def _parameter(part: smpp_offsets.PduPart, data: bytes, command_id: int, esm_class: int) -> bytes:
    if part.number or part.name in _PLAIN:
        return data
    if part.name in _TEXTS:
        return _text(data, esm_class)
    if part.tag:
        return data if _harmless(part.tag, data, command_id) else _stars(data)
    if part.name in ("password", smpp_offsets.REST):
        return _stars(data)
    return hidden(data)


def _harmless(tag: int, data: bytes, command_id: int) -> bool:
    """Whether an optional parameter is a small number, or an id."""
    if tag in (Tag.RECEIPTED_MESSAGE_ID, Tag.NETWORK_ERROR_CODE):
        return True
    command = COMMANDS.get(command_id)
    fields = plan(command).optional if command is not None else ()
    forms = [field.form for field in fields if field.tag == tag]
    return any(isinstance(form, UInt) and form.size == len(data) for form in forms)


def _text(data: bytes, esm_class: int) -> bytes:
    if is_receipt(esm_class):
        return _receipt(data)
    if esm_class & _UDHI and data and data[0] < len(data):
        size = data[0] + 1
        return _elements(data[:size]) + b"*" * (len(data) - size)
    return b"*" * len(data)


def _receipt(data: bytes) -> bytes:
    """Leave what tells of the text's fate, and nothing of the text itself (SMPP 3.4 appendix B)."""
    quoted = _RECEIPT_TEXT.search(data)
    head = data[: quoted.start()] if quoted else data
    out = bytearray(b"*" * len(data))
    for found in _RECEIPT.finditer(head):
        out[found.start() : found.end()] = found[0]
    return bytes(out)


def _elements(header: bytes) -> bytes:
    out, position = bytearray(header), 1
    while position + 2 <= len(header):
        end = min(position + 2 + header[position + 1], len(header))
        if header[position] not in _KEPT_ELEMENTS or header[position + 1] > 4:
            out[position + 2 : end] = b"*" * (end - position - 2)
        position = end
    return bytes(out)


def _stars(data: bytes) -> bytes:
    """Overwrite a value; a string keeps its NUL."""
    return b"*" * (len(data) - 1) + b"\0" if data.endswith(b"\0") else b"*" * len(data)


def _diameter(message: bytes, *, show_content: bool) -> bytes:
    out = bytearray(message)
    for leaf in diameter_offsets.leaves(message):
        if not show_content or _SECRET_AVPS.search(leaf.name):
            out[leaf.start : leaf.end] = _avp(leaf, message[leaf.start : leaf.end])
    return bytes(out)


def _avp(leaf: diameter_offsets.Leaf, data: bytes) -> bytes:
    if _SECRET_AVPS.search(leaf.name) or leaf.type is None:
        return bytes(len(data))
    if leaf.type in _SHOWN_TYPES:
        return data if len(data) == leaf.type.minimum_size else bytes(len(data))
    match leaf.type:
        case AvpType.DIAMETER_IDENTITY | AvpType.DIAMETER_URI:
            return hidden(data)
        case AvpType.ADDRESS:
            return data if leaf.name in _NODE_ADDRESSES else data[:2] + bytes(len(data[2:]))
        case AvpType.OCTET_STRING if leaf.name not in _TEXT_AVPS | _OCTET_AVPS | {"3GPP-IMSI", "User-Name"}:
            return _hidden_octets(leaf.name, data)
    if leaf.name in _TEXT_AVPS:
        return hidden(data)
    if leaf.name in _OCTET_AVPS:
        return data[:1] + bytes(len(data[1:]))
    return _identity(leaf.name, data)


def _hidden_octets(name: str, data: bytes) -> bytes:
    """Overwrite with zeros; a place keeps the octet that says which form it has, so that it can still be read."""
    return data[:1] + bytes(len(data[1:])) if name == "3GPP-User-Location-Info" else bytes(len(data))


def _identity(name: str, data: bytes) -> bytes:
    if name == "User-Name":
        user, at, realm = data.partition(b"@")
        return hidden_all(user) + at + hidden(realm)
    return hidden_all(data) if name in ("Subscription-Id-Data", "3GPP-IMSI") else b"*" * len(data)


def _host(message: bytes, *, show_content: bool) -> bytes:
    out = bytearray(message)
    for pattern in _SECRETS if show_content else (*_SECRETS, _PRIVATE):
        for found in pattern.finditer(message):
            start, end = found.span(1)
            out[start:end] = b"*" * (end - start)
    shown = hidden_keys(bytes(out))
    return shown if show_content else hidden(shown)
