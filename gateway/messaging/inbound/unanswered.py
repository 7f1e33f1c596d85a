"""Which texts in get no answer: those that no person sent, or whose answer would come back to us.

An answer to a machine may be answered in turn, for ever. So our own numbers, short codes, names and empty addresses are never
answered, nor receipts and acknowledgements that come as texts, nor data for a program. What opts out is still acted on,
without a word.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import Final

from gateway.messaging.addresses import SHORT_CODE_DIGITS, TypeOfNumber, unparted
from protocols.smpp.alphabets import Alphabet
from protocols.smpp.messages import DataSm, DeliverSm
from protocols.smpp.receipts import MessageType, message_type, reads_as_receipt
from protocols.smpp.text import UserData

NATIONAL_DIGITS: Final = 9
"""Digits of a number of ours, without its country, that are enough to know it by."""


class Silence(StrEnum):
    """Why a text to one of our services is not answered."""

    OURS = "own_number"
    NAME = "name"
    SHORT_CODE = "short_code"
    NO_SOURCE = "no_source"
    RECEIPT = "receipt"
    ACKNOWLEDGEMENT = "acknowledgement"
    DATA = "data"
    OPTED_OUT = "opted_out"
    LIMIT = "limit"
    SWITCHING = "switching"
    NO_SERVICES = "no_services"


_PORTS: Final = frozenset({0x04, 0x05})
"""Elements of a header that address a program by its port, of 8 and of 16 bits (TS 23.040 §9.2.3.24.3, §9.2.3.24.4)."""
_SIM_TOOLKIT: Final = range(0x70, 0x80)
"""Elements that address an application of the SIM (TS 23.040 §9.2.3.24)."""


def is_data(data: UserData) -> bool:
    """Whether a message is for a program: addressed to one, or binary. Some SMSCs mark texts as binary that are ASCII."""
    if any(identifier in _PORTS or identifier in _SIM_TOOLKIT for identifier, _ in data.header.elements):
        return True
    readable = (
        data.octets.isascii() and data.octets.decode("latin-1").replace("\n", " ").replace("\r", " ").isprintable()
    )
    return data.alphabet is Alphabet.OCTETS and not readable


def silence_of(message: DeliverSm | DataSm) -> Silence | None:
    """Say why a text is not to be answered, whoever we are; None if it is."""
    source = unparted(message.source_addr).removeprefix("+")
    if not source:
        return Silence.NO_SOURCE
    if message.source_addr_ton == TypeOfNumber.ALPHANUMERIC or not (source.isascii() and source.isdigit()):
        return Silence.NAME
    if message.source_addr_ton == TypeOfNumber.ABBREVIATED or len(source) <= SHORT_CODE_DIGITS:
        return Silence.SHORT_CODE
    if message_type(message.esm_class) != MessageType.DEFAULT:
        return Silence.ACKNOWLEDGEMENT
    return Silence.RECEIPT if reads_as_receipt(message) else None


def is_ours(source: str, own: Collection[str]) -> bool:
    """Whether a source is one of our short codes or numbers, in national form too."""
    if source in own:
        return True
    bare = source.lstrip("0")
    return len(bare) >= NATIONAL_DIGITS and any(number.endswith(bare) for number in own)
