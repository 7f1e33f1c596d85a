"""Hypothesis strategies for Diameter messages, made from the same plan as the codec."""

from hypothesis import strategies as st

from protocols.diameter import messages
from protocols.diameter.codec import Avp
from protocols.diameter.fields import Form, plan

CLASSES = [*messages.COMMANDS.values(), messages.ErrorAnswer]

_NUMBERS = {
    Form.UNSIGNED32: st.integers(0, 2**32 - 1),
    Form.UNSIGNED64: st.integers(0, 2**64 - 1),
    Form.INTEGER32: st.integers(-(2**31), 2**31 - 1),
    Form.INTEGER64: st.integers(-(2**63), 2**63 - 1),
    Form.TIME: st.integers(0x80000000 - 2208988800, 0x17FFFFFFF - 2208988800),
}
_TEXT = st.text(max_size=20)
_RAW = st.binary(max_size=20)

unknown_avps = st.builds(Avp, st.integers(2**20, 2**32 - 1), st.just(0), st.just(0), _RAW) | st.builds(
    Avp, st.integers(0, 2**32 - 1), st.integers(2**20, 2**32 - 1), st.just(0x80), _RAW
)
"""AVPs that no dictionary knows, without M."""


def message(cls):
    """Any value of a message class that a decoder could have made."""
    fields = {field.attribute: _field(field) for field in plan(cls).fields}
    return st.builds(cls, **fields, avps=st.lists(unknown_avps, max_size=2).map(tuple))


def _field(field):
    if field.group is not None:
        value = message(field.group)
    elif field.form in _NUMBERS:
        value = _NUMBERS[field.form]
    elif field.walked:
        value = st.sampled_from([b"", b"\0\0\1\xb0\x40\0\0\x0c\0\0\0\1"])
    else:
        value = _TEXT if field.form is Form.TEXT else _RAW
    if field.repeated:
        return st.lists(value, min_size=int(field.required), max_size=3).map(tuple)
    if field.required:
        return value.filter(lambda made: made != field.default)
    return st.none() | value
