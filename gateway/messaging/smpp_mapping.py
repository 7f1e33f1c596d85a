"""Between texts and SMPP: what a part and a query look like on the wire, and what a state of the SMSC means to us."""

from gateway.messaging.addresses import SHORT_CODE_DIGITS
from gateway.messaging.texts import Step, Text
from protocols.errors import LocalProtocolError
from protocols.smpp.alphabets import Alphabet
from protocols.smpp.messages import QuerySm, QuerySmResp, SubmitSm
from protocols.smpp.receipts import IdForm, MessageState, id_forms, stored_id
from protocols.smpp.text import encode_text
from protocols.smpp.times import absolute_time

INTERNATIONAL, ALPHANUMERIC, NETWORK = (1, 1), (5, 0), (3, 0)
"""Type of number and numbering plan (SMPP 3.4 §5.2.5, §5.2.6)."""
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
    """Make the message of one part (SMPP 3.4 §4.4.1); LocalProtocolError where this alphabet would cut the text otherwise."""
    assert text.body is not None
    encoded = encode_text(text.body, alphabet)
    if len(encoded.pieces) != len(text.parts):
        detail = f"in {alphabet.value} it takes {len(encoded.pieces)} parts, not {len(text.parts)}"
        raise LocalProtocolError(detail, "sms.parts")
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
        user_message_reference=text.part_reference(number),
    )


def query_sm(source: str, message_id: str) -> QuerySm:
    """Ask for a message by its id, as the SMSC wrote it, and by the source address of its submit_sm (SMPP 3.4 §4.8.1)."""
    kind = _address(source)
    return QuerySm(message_id=message_id, source_addr_ton=kind[0], source_addr_npi=kind[1], source_addr=source)


def is_about(answer: QuerySmResp, message_id: str, form: IdForm) -> bool:
    """Whether an answer tells of the message that was asked for, in any form of its id; one that names none does."""
    return (
        not answer.message_id
        or stored_id(answer.message_id, form) == message_id
        or message_id in id_forms(answer.message_id, form)
    )


def queried(answer: QuerySmResp) -> tuple[str, Step | None, str]:
    """Read an answer (SMPP 3.4 §4.8.2): the message's state in words, a step if it is final, and an error."""
    try:
        state = MessageState(answer.message_state)
    except ValueError:
        state = MessageState.UNKNOWN
    name, step = state.name.lower(), OUTCOMES.get(state)
    if step is None or step is Step.DELIVERED:
        return name, step, ""
    return name, step, str(answer.error_code) if answer.error_code else state.name


def _address(number: str) -> tuple[int, int]:
    if not number.isdigit():
        return ALPHANUMERIC
    return NETWORK if len(number) <= SHORT_CODE_DIGITS else INTERNATIONAL
