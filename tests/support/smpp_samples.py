"""SMPP messages to test with: one of each class with all its fields, and Hypothesis strategies made from the plans."""

import msgspec
from hypothesis import strategies as st

from protocols.smpp import messages
from protocols.smpp.codec import Tlv
from protocols.smpp.fields import CStr, Octets, Repeated, Time, UInt, plan
from protocols.smpp.generated import encode
from protocols.smpp.messages import COMMANDS
from protocols.smpp.tags import Tag

CLASSES = list(COMMANDS.values())
VENDOR_TLV = Tlv(0x1400, b"vendor")

_GROUPS = {
    "dest_address": (messages.SmeAddress(1, 1, "447700900123"), messages.DistributionList("friends")),
    "unsuccess_sme": (messages.UnsuccessSme(1, 1, "447700900124", 0x0B), messages.UnsuccessSme(0, 0, "5", 0x400)),
}


def _sample_value(field):
    if field.attribute == "ms_validity":
        return b"\1"  # tshark knows the one octet of 3.4, not the four of 5.0
    match field.form:
        case CStr(size=size):
            return f"{field.attribute}-é"[-(size - 1) :]
        case Time():
            return "261123203600004+"
        case UInt(size=size):
            return {1: 0x21, 2: 0x2122, 4: 0x21222324}[size]
        case Octets(smallest=smallest, largest=largest):
            return bytes(range(1, 1 + min(largest, max(smallest, 5))))
        case Repeated():
            return _GROUPS[field.attribute]


def full(cls):
    """A message with every field and a vendor's TLV; of short_message and message_payload the former."""
    found = plan(cls)
    names = {field.attribute for field in found.mandatory}
    fields = [field for field in (*found.mandatory, *found.optional)
              if field.attribute != "message_payload" or "short_message" not in names]  # fmt: skip
    return cls(**{field.attribute: _sample_value(field) for field in fields}, tlvs=(VENDOR_TLV,))


def text_sample(cls, **values):
    """What a phone or an application commonly sends."""
    return cls(
        source_addr_ton=5, source_addr="TPO", dest_addr_ton=1, dest_addr_npi=1, destination_addr="447700900123",
        registered_delivery=1, short_message=b"Reply YES to give", **values,
    )  # fmt: skip


SAMPLES = [full(cls) for cls in CLASSES] + [cls() for cls in CLASSES] + [
    text_sample(messages.SubmitSm, user_message_reference=7),
    text_sample(messages.DeliverSm),
    messages.DataSm(destination_addr="1", message_payload=b"x" * 3000),
]  # fmt: skip
FRAMES = [encode(sample, 1) for sample in SAMPLES]


def _value(field, highest=255):
    match field.form:
        case CStr(size=size):
            return st.text(st.characters(min_codepoint=1, max_codepoint=highest), max_size=size - 1)
        case Time():
            return st.just("") | st.from_regex(r"[0-9]{15}[+\-R]", fullmatch=True)
        case UInt(size=size):
            return st.integers(0, 256**size - 1)
        case Octets(smallest=smallest, largest=largest):
            return st.binary(min_size=smallest, max_size=min(largest, smallest + 300))
        case Repeated():
            return st.lists(st.one_of(*map(group, field.groups)), max_size=4).map(tuple)


def group(cls):
    """Any value of a group inside a message."""
    return st.builds(cls, **{field.attribute: _value(field) for field in plan(cls).mandatory})


unknown_tlvs = st.builds(Tlv, st.integers(0, 0xFFFF).filter(lambda tag: tag not in set(Tag)), st.binary(max_size=20))
"""TLVs that the specifications don't know."""


def message(cls, highest=255):
    """Any value of a message class that can be sent, with no octet of its strings beyond the highest."""
    found = plan(cls)
    fields = {field.attribute: _value(field, highest) for field in found.mandatory}
    fields |= {field.attribute: st.none() | _value(field, highest) for field in found.optional}
    made = st.builds(cls, **fields, tlvs=st.lists(unknown_tlvs, max_size=3).map(tuple))
    if {"short_message", "message_payload"} <= set(fields):
        return made.map(_with_one_text)
    return made


def _with_one_text(made):
    return msgspec.structs.replace(made, message_payload=None) if made.short_message else made
