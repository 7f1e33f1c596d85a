"""Any bytes, whole or byte by byte, are parsed or end in RemoteProtocolError."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from support.smpp_samples import FRAMES

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.smpp.codec import MAX_PDU_SIZE, MAX_TLVS, RESPONSE_BIT, Framer, decode_header, encode_pdu
from protocols.smpp.generated import decode, encode
from protocols.smpp.messages import COMMANDS, DataSm, DeliverSm, SubmitSm, UnknownPdu
from protocols.smpp.receipts import parse_receipt
from protocols.smpp.text import read_text, user_data
from protocols.smpp.times import parse_time


def read(octets, step):
    """Everything that a session reads of a stream: frames, messages, and the error that ends it."""
    framer, found = Framer(), []
    for start in range(0, len(octets), step):
        found += [parse(whole) for whole in framer.feed(octets[start : start + step])]
        assert framer.pending < MAX_PDU_SIZE
    if framer.error is not None:
        assert isinstance(framer.error, RemoteProtocolError)
        found.append((framer.error.command_status, str(framer.error)))
    return found


def parse(whole):
    header = decode_header(whole)
    try:
        message = decode(header, whole)
    except RemoteProtocolError as error:
        return error.command_status, error.fatal, header.response
    if isinstance(message, UnknownPdu):
        assert header.command_id not in COMMANDS
        return message
    assert len(message.tlvs) <= MAX_TLVS
    look_into(message)
    return message


def look_into(message):
    """What the owner of a session does with a message."""
    if isinstance(message, SubmitSm | DeliverSm | DataSm):
        assert isinstance(read_text([user_data(message)]).text, str)
    if isinstance(message, DeliverSm | DataSm):
        assert parse_receipt(message).state is not None
    if isinstance(message, SubmitSm):
        with contextlib.suppress(RemoteProtocolError):
            assert isinstance(parse_time(message.validity_period, 0), int)
    with contextlib.suppress(LocalProtocolError):  # a peer's strings may be longer than ours
        assert type(encode(message, 1)) is bytes


@st.composite
def streams(draw):
    """Octets as a bad peer sends them: noise, sound PDUs, spoilt PDUs, sound headers over noise."""
    pieces = []
    for _ in range(draw(st.integers(1, 4))):
        match draw(st.sampled_from(["noise", "sound", "spoilt", "header"])):
            case "noise":
                pieces.append(draw(st.binary(max_size=64)))
            case "sound":
                pieces.append(draw(st.sampled_from(FRAMES)))
            case "spoilt":
                octets = bytearray(draw(st.sampled_from(FRAMES)))
                for _ in range(draw(st.integers(1, 6))):
                    octets[draw(st.integers(0, len(octets) - 1))] = draw(st.integers(0, 255))
                pieces.append(bytes(octets))
            case "header":
                command_id = draw(st.sampled_from(list(COMMANDS)) | st.integers(0, 2**32 - 1))
                status = draw(st.integers(0, 2**32 - 1)) if command_id & RESPONSE_BIT else 0
                pieces.append(encode_pdu(command_id, status, 1, draw(st.binary(max_size=96))))
    return b"".join(pieces)


@given(streams())
def test_any_octets_are_parsed_or_refused_the_same_whole_and_byte_by_byte(octets):
    assert read(octets, max(1, len(octets))) == read(octets, 1)


@given(st.sampled_from(list(COMMANDS)), st.integers(0, 2**32 - 1), st.binary(max_size=200))
def test_any_octets_are_a_body_of_any_pdu_or_refused(command_id, status, body):
    frame = encode_pdu(command_id, status if command_id & RESPONSE_BIT else 0, 1, body)
    found = parse(frame)
    assert isinstance(found, COMMANDS[command_id]) or (
        found[0] in {0x01, 0x02, 0x40, 0xC0} and found[1:] == (False, False)
    )


@given(st.text(max_size=20) | st.from_regex(r"[0-9]{15}[+\-R]", fullmatch=True), st.integers(0, 2**33))
def test_any_characters_are_a_time_or_refused(text, now):
    try:
        found = parse_time(text, now)
    except RemoteProtocolError as error:
        found = error.command_status
    assert isinstance(found, int)
