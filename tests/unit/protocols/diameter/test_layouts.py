"""Messages that lie as ones before them are read at once, and as the decoder reads them."""

import pytest
from support.gy_samples import credit_control_request, frame, ps_information

from protocols.diameter import interpreter
from protocols.diameter.avp_validation import STANDARD, Profile
from protocols.diameter.codec import encode_avp, encode_message
from protocols.diameter.errors import DiameterError
from protocols.diameter.generated import decode, encode
from protocols.diameter.layouts import LONGEST, MISSES, MOST, MOST_ALIKE, Layouts, learn
from protocols.diameter.messages import CreditControlRequest, DeviceWatchdogRequest

FRAME = frame(0xC0, 4, credit_control_request())
LENIENT = Profile(STANDARD.grouped, lenient=True)


def watchdog(host, *more):
    body = encode(DeviceWatchdogRequest(origin_host=host, origin_realm="host.example", origin_state_id=7))
    return encode_message(0x80, 280, 0, 1, 1, body + b"".join(more))


def learned(*frames, cls=DeviceWatchdogRequest, profile=STANDARD):
    layouts = Layouts(learn)
    for octets in frames:
        for _ in range(MISSES):
            layouts.missed(cls, octets, profile)
    return layouts


def test_after_many_of_its_length_a_message_is_read_by_its_layout_with_values_of_its_own():
    layouts = Layouts(learn)
    for count in range(MISSES):
        assert layouts.read(DeviceWatchdogRequest, watchdog("pgw-1"), STANDARD) is None, count
        layouts.missed(DeviceWatchdogRequest, watchdog("pgw-1"), STANDARD)
    for host in ("pgw-1", "pgw-2", "sgsn7"):
        octets = watchdog(host)
        assert layouts.read(DeviceWatchdogRequest, octets, STANDARD) == interpreter.decode(
            DeviceWatchdogRequest, octets
        )
    assert layouts.read(DeviceWatchdogRequest, watchdog("pgw-12"), STANDARD) is None  # it is longer
    assert layouts.read(CreditControlRequest, watchdog("pgw-1"), STANDARD) is None


def test_a_credit_control_request_is_read_the_same_before_and_after_its_layout_is_known():
    before = interpreter.decode(CreditControlRequest, FRAME)
    assert all(decode(CreditControlRequest, FRAME) == before for _ in range(2 * MISSES))
    assert learned(FRAME, cls=CreditControlRequest).read(CreditControlRequest, FRAME, STANDARD) == before


def test_a_message_with_another_header_anywhere_is_left_to_the_decoder():
    octets = watchdog("pgw-1")
    layouts = learned(octets)
    read = 0
    for position in range(20, len(octets)):
        other = bytearray(octets)
        other[position] ^= 1
        found = layouts.read(DeviceWatchdogRequest, bytes(other), STANDARD)
        if found is not None:
            read += 1
            assert found == interpreter.decode(DeviceWatchdogRequest, bytes(other))
    assert read == len(octets) - 20 - 3 * 8  # three AVPs, with headers of eight octets; the rest are values and padding


def test_text_that_is_not_utf_8_is_refused_as_the_decoder_refuses_it():
    assert all(decode(DeviceWatchdogRequest, watchdog("pgw-1")) for _ in range(2 * MISSES))
    with pytest.raises(DiameterError) as refused:
        decode(DeviceWatchdogRequest, watchdog("pgw-1").replace(b"pgw-1", b"pgw-\xff"))
    assert refused.value.result_code == 5004


def test_an_avp_that_the_class_has_no_field_for_is_kept_with_its_own_data_if_its_headers_are_the_same():
    group = 443  # Subscription-Id, which a watchdog has no field for: what is inside it is looked at
    octets = watchdog("pgw-1", encode_avp(2**20, b"1234", 9, 0), encode_avp(group, encode_avp(450, b"\0\0\0\1")))
    layouts = learned(octets)
    other = octets.replace(b"1234", b"5678")
    assert layouts.read(DeviceWatchdogRequest, other, STANDARD) == interpreter.decode(DeviceWatchdogRequest, other)
    inside = octets.replace(encode_avp(450, b"\0\0\0\1"), encode_avp(2**21, b"\0\0\0\1"))
    assert layouts.read(DeviceWatchdogRequest, inside, STANDARD) is None


def test_a_layout_holds_for_the_profile_that_it_was_found_right_by():
    unknown_with_m = encode_avp(2**20, b"1234")
    octets = frame(0xC0, 4, credit_control_request(service_information=ps_information() + unknown_with_m))
    layouts = learned(octets, cls=CreditControlRequest, profile=LENIENT)
    assert layouts.read(CreditControlRequest, octets, LENIENT) is not None
    assert layouts.read(CreditControlRequest, octets, STANDARD) is None


def test_of_messages_of_one_length_the_latest_layouts_are_kept():
    hosts = ["a" * n for n in range(1, MOST_ALIKE + 3)]
    frames = [
        encode_message(
            0x80, 280, 0, 1, 1, encode(DeviceWatchdogRequest(origin_host=host, origin_realm="r" * (40 - len(host))))
        )
        for host in hosts
    ]
    alike = [each for each in frames if len(each) == len(frames[0])]
    layouts = learned(*alike)
    read = [layouts.read(DeviceWatchdogRequest, each, STANDARD) is not None for each in alike]
    assert read == [False] * (len(alike) - MOST_ALIKE) + [True] * MOST_ALIKE


def test_layouts_do_not_become_many():
    layouts = Layouts(learn)
    for length in range(1, MOST + 20):
        for _ in range(MISSES):
            layouts.missed(DeviceWatchdogRequest, watchdog("x" * length), STANDARD)
        kept = sum(map(len, layouts._layouts.values()))
        assert kept == (length if length <= MOST else length - MOST)


def test_a_long_message_has_no_layout():
    octets = watchdog("x" * LONGEST)
    assert learned(octets).read(DeviceWatchdogRequest, octets, STANDARD) is None
