from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.smpp_samples import CLASSES, FRAMES, message

from protocols.smpp import generated, interpreter
from protocols.smpp.codec import RESPONSE_BIT, Framer, Tlv, decode_header, encode_pdu, encode_tlv
from protocols.smpp.errors import SmppError
from protocols.smpp.messages import COMMANDS
from protocols.smpp.tags import Tag

COMMAND_IDS = st.sampled_from(list(COMMANDS))
TLVS = st.builds(Tlv, st.sampled_from(list(map(int, Tag))) | st.integers(0, 0xFFFF), st.binary(max_size=8))
STATUSES = st.sampled_from([0, 0, 0x58, 0x400])


def outcome(codec, frame):
    """What a decoder made of a frame: the message, or everything that its error says."""
    try:
        return codec.decode(decode_header(frame), frame)
    except SmppError as error:
        return error.command_status, error.message, error.fatal


def framed(command_id, status, body):
    return encode_pdu(command_id, status if command_id & RESPONSE_BIT else 0, 1, body)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@given(data=st.data())
def test_decoding_undoes_encoding(cls, data):
    made = data.draw(message(cls))
    frame = generated.encode(made, 1)
    assert frame == interpreter.encode(made, 1)
    assert outcome(generated, frame) == made
    assert outcome(interpreter, frame) == made


@given(data=st.data())
def test_an_error_response_of_ours_is_read_as_it_was_written(data):
    cls = data.draw(st.sampled_from([cls for cls in CLASSES if cls.command_id & RESPONSE_BIT]))
    made = data.draw(st.just(cls()) | message(cls))
    frame = generated.encode(made, 1, 0x58)
    assert frame == interpreter.encode(made, 1, 0x58)
    assert decode_header(frame).command_status == 0x58
    assert outcome(generated, frame) == outcome(interpreter, frame)
    assert type(outcome(generated, frame)) is cls


@st.composite
def spoilt_frames(draw):
    """A sound PDU with some octets or spans of it changed, its length put right again."""
    frame = draw(st.sampled_from(FRAMES))
    body = bytearray(frame[16:])
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(body)))
        match draw(st.sampled_from(["octet", "cut", "insert", "end", "zero"])):
            case "octet":
                body[place : place + 1] = bytes([draw(st.integers(0, 255))])
            case "cut":
                del body[place : place + draw(st.integers(1, 12))]
            case "insert":
                body[place:place] = draw(st.binary(max_size=16))
            case "end":
                del body[place:]
            case "zero":
                body[place : place + 1] = b"\0"
    return framed(int.from_bytes(frame[4:8], "big"), draw(STATUSES), bytes(body))


@settings(max_examples=10 * settings().max_examples)
@given(spoilt_frames())
def test_generated_and_interpreted_decoders_agree_on_spoilt_pdus(frame):
    assert outcome(generated, frame) == outcome(interpreter, frame)


@settings(max_examples=3 * settings().max_examples)
@given(COMMAND_IDS, STATUSES, st.binary(max_size=80))
def test_generated_and_interpreted_decoders_agree_on_any_octets(command_id, status, body):
    frame = framed(command_id, status, body)
    assert outcome(generated, frame) == outcome(interpreter, frame)


@given(st.sampled_from(CLASSES), STATUSES, st.lists(TLVS, max_size=8), st.binary(max_size=5))
def test_generated_and_interpreted_decoders_agree_on_any_tlvs(cls, status, tlvs, stray):
    mandatory = generated.encode(cls(), 1)[16:]
    frame = framed(int(cls.command_id), status, mandatory + b"".join(map(encode_tlv, tlvs)) + stray)
    found = outcome(generated, frame)
    assert found == outcome(interpreter, frame)
    assert type(found) in {cls, tuple}


@given(st.lists(TLVS, max_size=8))
def test_no_tlv_is_lost(tlvs):
    frame = framed(5, 0, generated.encode(COMMANDS[5](), 1)[16:] + b"".join(map(encode_tlv, tlvs)))
    found = outcome(generated, frame)
    as_fields = sum(
        getattr(found, Tag(tag).name.lower(), None) is not None for tag in {tlv.tag for tlv in tlvs} & set(Tag)
    )
    assert len(found.tlvs) + as_fields == len(tlvs)
    assert [tlv for tlv in tlvs if tlv in found.tlvs] == list(found.tlvs) or len(set(tlvs)) < len(tlvs)


@given(st.lists(st.integers(0, sum(map(len, FRAMES))), max_size=12))
def test_a_stream_gives_the_same_pdus_wherever_it_is_cut(cuts):
    stream = b"".join(FRAMES)
    framer, found = Framer(), []
    for start, end in pairwise([0, *sorted(cuts), len(stream)]):
        found += framer.feed(stream[start:end])
    assert found == FRAMES
    assert (framer.pending, framer.error) == (0, None)
