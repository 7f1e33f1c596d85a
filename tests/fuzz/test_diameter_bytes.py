"""Any bytes, whole or byte by byte, are parsed or end in RemoteProtocolError."""

from hypothesis import given
from hypothesis import strategies as st
from support.gy_samples import error_frame, frame, one_of_each
from support.message_strategies import CLASSES

from protocols.diameter.avp_validation import STANDARD, check_number, walk
from protocols.diameter.codec import (
    HEADER_SIZE,
    MAX_MESSAGE_SIZE,
    Framer,
    decode_avps,
    decode_header,
    encode_avp,
    encode_message,
)
from protocols.diameter.generated import decode, encode
from protocols.diameter.messages import COMMANDS, ErrorAnswer
from protocols.errors import RemoteProtocolError

SAMPLES = [frame(flags, application, sample) for flags, application, sample in one_of_each()] + [error_frame()]


def read(octets, step):
    """Everything that a node reads of a stream: frames, messages, and the error that ends it."""
    framer, found = Framer(), []
    for start in range(0, len(octets), step):
        found += [parse(whole) for whole in framer.feed(octets[start : start + step])]
        assert framer.pending < MAX_MESSAGE_SIZE
    if framer.error is not None:
        assert isinstance(framer.error, RemoteProtocolError)
        found.append((framer.error.result_code, str(framer.error)))
    return found


def parse(whole):
    try:
        header = decode_header(whole)
        cls = ErrorAnswer if header.error else COMMANDS.get((header.command_code, header.request), ErrorAnswer)
        message = decode(cls, whole)
    except RemoteProtocolError as error:
        return error.result_code, error.failed_avp
    assert type(encode(message)) is bytes
    return message


@st.composite
def streams(draw):
    """Octets as a bad peer sends them: noise, sound messages, spoilt messages, sound headers over noise."""
    pieces = []
    for _ in range(draw(st.integers(1, 4))):
        match draw(st.sampled_from(["noise", "sound", "spoilt", "header", "avps"])):
            case "noise":
                pieces.append(draw(st.binary(max_size=64)))
            case "sound":
                pieces.append(draw(st.sampled_from(SAMPLES)))
            case "spoilt":
                octets = bytearray(draw(st.sampled_from(SAMPLES)))
                for _ in range(draw(st.integers(1, 6))):
                    octets[draw(st.integers(0, len(octets) - 1))] = draw(st.integers(0, 255))
                pieces.append(bytes(octets))
            case "header":
                body = draw(st.binary(max_size=64).map(lambda octets: octets[: len(octets) & ~3]))
                pieces.append(encode_message(draw(st.integers(0, 255)), draw(commands), 4, 1, 1, body))
            case "avps":
                pieces.append(encode_message(0xC0, draw(commands), 4, 1, 1, draw(bodies)))
    return b"".join(pieces)


commands = st.sampled_from([257, 258, 272, 274, 280, 282])
codes = st.sampled_from([1, 25, 55, 263, 264, 268, 284, 415, 431, 437, 443, 446, 456, 873, 874, 1016, 2000])
leaves = st.builds(encode_avp, codes, st.binary(max_size=12), st.sampled_from([0, 10415]), st.integers(0, 255))
trees = st.recursive(
    leaves,
    lambda inside: st.builds(
        encode_avp, codes, st.lists(inside, max_size=3).map(b"".join), st.sampled_from([0, 10415]), st.integers(0, 255)
    ),
    max_leaves=12,
)
bodies = st.lists(trees, max_size=6).map(b"".join)


@given(streams())
def test_any_octets_are_parsed_or_refused_the_same_whole_and_byte_by_byte(octets):
    assert read(octets, max(1, len(octets))) == read(octets, 1)


def refusal(look, *arguments):
    """The result code that a call is refused with, or None; any other exception is a failure."""
    try:
        look(*arguments)
    except RemoteProtocolError as error:
        return error.result_code
    return None


@given(st.sampled_from(CLASSES), bodies)
def test_any_avps_are_a_message_of_any_class_or_refused(cls, body):
    assert refusal(decode, cls, bytes(HEADER_SIZE) + body) in {None, 5001, 5004, 5005, 5009, 5012, 5014}


@given(st.binary(max_size=200), st.integers(0, 220), st.integers(0, 220))
def test_any_span_of_any_octets_is_walked_or_refused(octets, start, end):
    start, end = min(start, len(octets)), min(end, len(octets))
    assert refusal(decode_avps, octets, start, end) in {None, 5014}
    assert refusal(walk, octets, start, end, 0, STANDARD) in {None, 5001, 5012, 5014}
    assert refusal(check_number, octets, start, end, STANDARD) is None
