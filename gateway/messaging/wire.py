"""Between texts and SMPP: what a part looks like on the wire, and what a message from the SMSC means to us."""

import hashlib

from gateway.messaging.arriving import Arrival
from gateway.messaging.sending import Receipt
from gateway.messaging.texts import Step, Text
from protocols.smpp.alphabets import Alphabet
from protocols.smpp.messages import DataSm, DeliverSm, SubmitSm
from protocols.smpp.receipts import IdForm, MessageState, id_forms, parse_receipt
from protocols.smpp.text import encode_text, user_data
from protocols.smpp.times import absolute_time

INTERNATIONAL, ALPHANUMERIC, NETWORK = (1, 1), (5, 0), (3, 0)
"""Type of number and numbering plan (SMPP 3.4 §5.2.5, §5.2.6)."""
SHORT_CODE_DIGITS = 8
MICROSECONDS = 1_000_000
OUTCOMES = {
    MessageState.DELIVERED: Step.DELIVERED,
    MessageState.EXPIRED: Step.EXPIRED,
    MessageState.DELETED: Step.FAILED,
    MessageState.UNDELIVERABLE: Step.FAILED,
    MessageState.REJECTED: Step.FAILED,
    MessageState.SKIPPED: Step.FAILED,
}
"""Final states of a message at the SMSC (SMPP 3.4 §5.2.28)."""


def count_parts(body: str, alphabet: Alphabet) -> int:
    """Count the short messages that a text takes; LocalProtocolError for more than 255 or half a surrogate pair."""
    return len(encode_text(body, alphabet).pieces)


def submit_sm(text: Text, number: int, alphabet: Alphabet) -> SubmitSm:
    """Make the message of one part (SMPP 3.4 §4.4.1)."""
    assert text.body is not None
    encoded = encode_text(text.body, alphabet)
    source, destination = _address(text.source), _address(text.destination)
    return SubmitSm(
        source_addr_ton=source[0],
        source_addr_npi=source[1],
        source_addr=text.source,
        dest_addr_ton=destination[0],
        dest_addr_npi=destination[1],
        destination_addr=text.destination,
        esm_class=encoded.esm_class,
        validity_period=absolute_time(text.valid_until // MICROSECONDS),
        registered_delivery=text.registered_delivery,
        data_coding=encoded.data_coding,
        short_message=encoded.segments(text.reference_number & 0xFF)[number],
        user_message_reference=(text.reference_number + number) & 0xFFFF,
    )


def receipt(link: str, message: DeliverSm | DataSm, form: IdForm) -> Receipt:
    """Read a delivery receipt; one that is not final, or names no message, has no step."""
    found = parse_receipt(message)
    forms = tuple(id_forms(found.message_id, form)) if found.message_id else ()
    step = OUTCOMES.get(found.state) if found.final else None
    reference = found.user_message_reference
    error = "" if step is Step.DELIVERED else found.error[:32] or found.stat[:32]
    return Receipt(link, forms, step, error, message.source_addr.lstrip("+"), reference)


def arrival(
    link: str, message: DeliverSm | DataSm, alphabet: Alphabet, *, suspect_since: int | None, bound_at: int
) -> Arrival:
    """Read a text from a handset; the digest knows it again if it is delivered once more."""
    data = user_data(message, alphabet)
    payload = getattr(message, "short_message", b"") or message.message_payload or b""
    known = (message.source_addr, message.destination_addr, str(message.esm_class), str(message.data_coding))
    digest = hashlib.sha256("\x1f".join(known).encode() + b"\x1f" + payload).hexdigest()[:32]
    part = data.concatenation
    return Arrival(
        link=link,
        source=message.source_addr.lstrip("+"),
        destination=message.destination_addr.lstrip("+"),
        data=data,
        digest=digest,
        reference=part.reference if part else 0,
        total=part.total if part else 1,
        number=part.number if part else 1,
        suspect_since=suspect_since,
        bound_at=bound_at,
    )


def _address(number: str) -> tuple[int, int]:
    if not number.isdigit():
        return ALPHANUMERIC
    return NETWORK if len(number) <= SHORT_CODE_DIGITS else INTERNATIONAL
