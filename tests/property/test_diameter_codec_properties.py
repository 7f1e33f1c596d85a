from itertools import pairwise
from struct import unpack_from

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.gy_samples import credit_control_answer, credit_control_request, error_frame, frame, one_of_each
from support.message_strategies import CLASSES, message, unknown_avps

from protocols.diameter import generated, interpreter
from protocols.diameter.avp_validation import STANDARD, Profile
from protocols.diameter.codec import (
    HEADER_SIZE,
    MAX_FAILED_AVP,
    Framer,
    decode_avps,
    decode_header,
    encode_avp,
    encode_message,
)
from protocols.diameter.errors import DiameterError
from protocols.diameter.layouts import MISSES, Layouts, learn

PROFILES = st.sampled_from([STANDARD, Profile(STANDARD.grouped, lenient=True)])
SAMPLES = [(type(sample), frame(flags, application, sample)) for flags, application, sample in one_of_each()]
SAMPLES.append((CLASSES[-1], error_frame()))


def outcome(codec, cls, octets, profile):
    """What a decoder made of the octets: the message, or everything that its error says."""
    try:
        return codec.decode(cls, octets, profile=profile)
    except DiameterError as error:
        return error.result_code, error.message, error.failed_avp, error.fatal


def headers(octets, start=HEADER_SIZE, end=None):
    """Position of every AVP header, inside groups too."""
    position, end = start, len(octets) if end is None else end
    while position < end:
        code, word = unpack_from(">II", octets, position)
        length, first = word & 0xFFFFFF, position + (12 if word >> 31 else 8)
        vendor_id = unpack_from(">I", octets, position + 8)[0] if word >> 31 else 0
        yield position
        if STANDARD.grouped.get(vendor_id << 32 | code):
            yield from headers(octets, first, position + length)
        position += length + 3 & ~3


HEADERS = {octets: list(headers(octets)) for _, octets in SAMPLES}


@st.composite
def spoilt_frames(draw):
    """A sound message with some AVP headers, octets or spans of it changed."""
    cls, octets = draw(st.sampled_from(SAMPLES))
    places = HEADERS[octets]
    octets = bytearray(octets)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(places))
        length = int.from_bytes(octets[place + 5 : place + 8], "big")
        match draw(st.sampled_from(["length", "size", "flags", "code", "octet", "cut", "copy", "insert"])):
            case "length":
                octets[place + 5 : place + 8] = max(0, length + draw(st.integers(-16, 16))).to_bytes(3, "big")
            case "size":
                octets[place + 5 : place + 8] = draw(st.integers(0, 20)).to_bytes(3, "big")
            case "flags":
                octets[place + 4 : place + 5] = bytes([draw(st.integers(0, 255))])
            case "code":
                octets[place : place + 4] = octets[(other := draw(st.sampled_from(places))) : other + 4]
            case "octet":
                position = draw(st.integers(HEADER_SIZE, len(octets) - 1))
                octets[position : position + 1] = bytes([draw(st.integers(0, 255))])
            case "cut":
                first = place + draw(st.integers(0, 16))
                del octets[first : first + draw(st.integers(1, 12))]
            case "copy":
                octets[place:place] = octets[place : place + (length + 3 & ~3)]
            case "insert":
                octets[place:place] = draw(st.binary(max_size=16))
    return cls, bytes(octets)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@given(data=st.data())
def test_decoding_undoes_encoding(cls, data):
    made = data.draw(message(cls))
    body = generated.encode(made)
    assert len(body) % 4 == 0
    assert body == interpreter.encode(made)
    octets = encode_message(0x80, 1, 0, 1, 1, body)
    assert generated.decode(cls, octets) == made
    assert interpreter.decode(cls, octets) == made


@settings(max_examples=5 * settings().max_examples)
@given(spoilt=spoilt_frames(), profile=PROFILES)
def test_generated_and_interpreted_decoders_agree_on_spoilt_messages(spoilt, profile):
    cls, octets = spoilt
    assert outcome(generated, cls, octets, profile) == outcome(interpreter, cls, octets, profile)


LAYOUTS = Layouts(learn)
for _cls, _octets in SAMPLES:
    for _ in range(MISSES):
        LAYOUTS.missed(_cls, _octets, STANDARD)


@st.composite
def changed_frames(draw):
    """A sound message with a few octets changed, in values as in headers."""
    cls, octets = draw(st.sampled_from(SAMPLES))
    octets = bytearray(octets)
    for _ in range(draw(st.integers(1, 4))):
        octets[draw(st.integers(HEADER_SIZE, len(octets) - 1))] = draw(st.integers(0, 255))
    return cls, bytes(octets)


@settings(max_examples=5 * settings().max_examples)
@given(changed=changed_frames() | spoilt_frames() | st.sampled_from(SAMPLES))
def test_a_layout_reads_a_message_as_the_interpreter_does_or_leaves_it(changed):
    cls, octets = changed
    read = LAYOUTS.read(cls, octets, STANDARD)
    assert read is None or read == outcome(interpreter, cls, octets, STANDARD)


@given(data=st.data(), cls=st.sampled_from(CLASSES))
def test_every_message_is_read_by_its_own_layout(data, cls):
    made = data.draw(message(cls))
    octets = encode_message(0x80, 1, 0, 1, 1, generated.encode(made))
    layout = learn(cls, octets, STANDARD)
    assert int.from_bytes(octets, "big") & layout.mask == layout.headers
    assert layout.read(octets) == made


@given(cls=st.sampled_from(CLASSES), avps=st.lists(unknown_avps, max_size=8), stray=st.binary(max_size=8))
def test_generated_and_interpreted_decoders_agree_on_random_avps(cls, avps, stray):
    body = b"".join(encode_avp(avp.code & 0x1FF, avp.data, avp.vendor_id % 2 * 10415, avp.code >> 24) for avp in avps)
    octets = bytes(HEADER_SIZE) + body + stray
    assert outcome(generated, cls, octets, STANDARD) == outcome(interpreter, cls, octets, STANDARD)


@given(spoilt=spoilt_frames())
def test_a_failed_avp_is_well_formed_and_bounded(spoilt):
    cls, octets = spoilt
    found = outcome(generated, cls, octets, STANDARD)
    if isinstance(found, tuple) and found[2]:
        assert len(decode_avps(found[2], 0, len(found[2]))) == 1
        assert len(found[2]) < MAX_FAILED_AVP + 200


@given(st.lists(unknown_avps, max_size=5))
def test_avps_of_one_level_survive_a_round_trip(avps):
    octets = b"".join(encode_avp(avp.code, avp.data, avp.vendor_id, avp.flags) for avp in avps)
    assert decode_avps(octets, 0, len(octets)) == avps


@given(
    st.integers(0, 255),
    st.integers(0, 2**24 - 1),
    st.tuples(*3 * [st.integers(0, 2**32 - 1)]),
    st.binary(max_size=8).map(lambda octets: octets * 4),
)
def test_a_header_survives_a_round_trip(flags, command_code, words, body):
    header = decode_header(encode_message(flags, command_code, *words, body))
    assert (header.flags, header.command_code, header.length) == (flags, command_code, HEADER_SIZE + len(body))
    assert (header.application_id, header.hop_by_hop, header.end_to_end) == words


@given(st.lists(st.integers(0, 3000), max_size=12))
def test_a_stream_gives_the_same_messages_wherever_it_is_cut(cuts):
    whole = [frame(0xC0, 4, credit_control_request()), error_frame(), frame(0x40, 4, credit_control_answer())]
    stream = b"".join(whole)
    framer, found = Framer(), []
    borders = [0, *sorted(cuts), len(stream)]
    for start, end in pairwise(borders):
        found += framer.feed(stream[start:end])
    assert found == whole
