import time
from typing import Annotated

import msgspec
import pytest
from support.gy_samples import SESSION, avp, credit_control_answer, credit_control_request, frame, one_of_each, word

from protocols.diameter import generated, interpreter
from protocols.diameter.avp_validation import STANDARD, Profile
from protocols.diameter.codec import HEADER_SIZE, MAX_DEPTH, Avp, decode_avps, encode_avp, encode_message
from protocols.diameter.dictionary import standard
from protocols.diameter.errors import DiameterError
from protocols.diameter.fields import AvpField, plan, time_to_unix, unix_to_time
from protocols.diameter.messages import (
    COMMANDS,
    CreditControlAnswer,
    CreditControlRequest,
    DeviceWatchdogRequest,
    ErrorAnswer,
    GrantedServiceUnit,
    Group,
    MultipleServicesCreditControl,
    RequestedServiceUnit,
    SubscriptionId,
    UsedServiceUnit,
)
from protocols.errors import LocalProtocolError

REQUIRED = [
    avp("Session-Id", SESSION),
    avp("Origin-Host", b"smf.localdomain"),
    avp("Origin-Realm", b"localdomain"),
    avp("Destination-Realm", b"tpo.example"),
    avp("Auth-Application-Id", word(4)),
    avp("Service-Context-Id", b"32251@3gpp.org"),
    avp("CC-Request-Type", word(1)),
    avp("CC-Request-Number", word(0)),
]


@pytest.fixture(params=[generated, interpreter], ids=["generated", "interpreted"])
def codec(request):
    """Both codecs: each trap is set for either."""
    return request.param


def request_with(*avps):
    return encode_message(0xC0, 272, 4, 1, 1, b"".join([*REQUIRED, *avps]))


def refusal(codec, octets, cls=CreditControlRequest, profile=STANDARD):
    with pytest.raises(DiameterError) as caught:
        codec.decode(cls, octets, profile=profile)
    assert not caught.value.fatal
    return caught.value


def nested(depth, inside=b""):
    """A group within groups: an AVP in `inside` lies in `depth` of them."""
    for _ in range(depth):
        inside = avp("Service-Information", inside)
    return inside


@pytest.mark.parametrize(("flags", "application", "message"), one_of_each())
def test_each_message_survives_a_round_trip(codec, flags, application, message):
    octets = frame(flags, application, message)
    assert codec.decode(type(message), octets) == message
    assert codec.encode(message) == octets[HEADER_SIZE:]
    assert COMMANDS[type(message).command_code, bool(flags & 0x80)] is type(message)


def test_a_part_of_the_frame_can_be_decoded(codec):
    octets = b"\xff" * 7 + codec.encode(DeviceWatchdogRequest("a", "b")) + b"\xff" * 9
    assert codec.decode(DeviceWatchdogRequest, octets, 7, len(octets) - 9) == DeviceWatchdogRequest("a", "b")


def test_session_id_is_echoed_octet_for_octet_even_when_it_is_not_utf8(codec):
    session = b"\xff\xfe;1;2;\0caf\xe9"
    octets = frame(0xC0, 4, credit_control_request(session_id=session))
    request = codec.decode(CreditControlRequest, octets)
    assert request.session_id == session
    assert avp("Session-Id", session) == codec.encode(CreditControlAnswer(session_id=request.session_id))


def test_fields_that_equal_their_default_are_not_sent(codec):
    assert codec.encode(CreditControlAnswer()) == b""
    assert codec.encode(CreditControlAnswer(result_code=2001)) == avp("Result-Code", word(2001))
    assert codec.encode(CreditControlAnswer(cc_request_number=0)) == avp("CC-Request-Number", word(0))


def test_an_answer_may_be_written_in_two_pieces(codec):
    whole = credit_control_answer()
    front = CreditControlAnswer(whole.session_id, whole.origin_host, whole.origin_realm)
    rest = msgspec.structs.replace(whole, session_id=b"", origin_host="", origin_realm="")
    assert codec.encode(front) + codec.encode(rest) == codec.encode(whole)


def test_empty_requested_service_unit_is_a_struct_of_nothing(codec):
    octets = request_with(avp("Multiple-Services-Credit-Control", avp("Requested-Service-Unit", b"")))
    (mscc,) = codec.decode(CreditControlRequest, octets).multiple_services_credit_control
    assert mscc.requested_service_unit == RequestedServiceUnit()
    assert mscc.rating_group is None
    assert codec.encode(mscc) == avp("Requested-Service-Unit", b"")


def test_input_and_output_octets_come_without_a_total(codec):
    used = avp("CC-Input-Octets", bytes(7) + b"\5") + avp("CC-Output-Octets", b"\xff" * 8)
    octets = request_with(avp("Multiple-Services-Credit-Control", 2 * avp("Used-Service-Unit", used)))
    (mscc,) = codec.decode(CreditControlRequest, octets).multiple_services_credit_control
    assert mscc.used_service_unit == 2 * (UsedServiceUnit(cc_input_octets=5, cc_output_octets=2**64 - 1),)


def test_fields_may_come_in_any_order(codec):
    octets = encode_message(0xC0, 272, 4, 1, 1, b"".join(reversed(REQUIRED)))
    assert codec.decode(CreditControlRequest, octets).session_id == SESSION


def test_avps_that_are_no_fields_are_kept_and_sent_last(codec):
    unknown = encode_avp(99999, b"x", 12345, 0)
    known = avp("AoC-Request-Type", word(1))
    request = codec.decode(CreditControlRequest, request_with(unknown, known, avp("Termination-Cause", word(1))))
    assert request.avps == (Avp(99999, 12345, 0x80, b"x"), Avp(2055, 10415, 0xC0, word(1)))
    assert request.termination_cause == 1
    assert codec.encode(request).endswith(unknown + known)


def test_the_same_code_of_another_vendor_is_another_avp(codec):
    octets = request_with(encode_avp(432, b"xyz", 999, 0), avp("Service-Identifier", word(7)))
    request = codec.decode(CreditControlRequest, octets)
    assert request.avps == (Avp(432, 999, 0x80, b"xyz"),)
    assert request.service_identifier == 7


@pytest.mark.parametrize("flag", [0x20, 0x01, 0x1F])
def test_flag_p_and_reserved_flags_of_an_avp_are_tolerated(codec, flag):
    octets = request_with(encode_avp(439, word(7), 0, 0x40 | flag), encode_avp(99999, b"", 0, flag))
    request = codec.decode(CreditControlRequest, octets)
    assert request.service_identifier == 7
    assert request.avps == (Avp(99999, 0, flag, b""),)


def test_a_known_avp_without_its_m_flag_is_read(codec):
    assert codec.decode(CreditControlRequest, request_with(encode_avp(439, word(7), 0, 0))).service_identifier == 7


def test_unknown_avp_with_m_is_5001_with_the_avp(codec):
    unknown = encode_avp(99999, b"abc", 12345, 0x40)
    error = refusal(codec, request_with(unknown))
    assert error.result_code == 5001
    assert error.failed_avp == unknown
    assert error.code == "diameter.avp_unsupported"


def test_unknown_avp_with_m_in_a_class_s_group_is_5001_within_its_groups(codec):
    unknown = encode_avp(99999, b"abc", 0, 0x40)
    octets = request_with(avp("Multiple-Services-Credit-Control", avp("Used-Service-Unit", unknown)))
    error = refusal(codec, octets)
    assert error.result_code == 5001
    assert error.failed_avp == avp("Multiple-Services-Credit-Control", avp("Used-Service-Unit", unknown))


@pytest.mark.parametrize("outer", ["Service-Information", "Multiple-Services-Credit-Control"])
def test_unknown_avp_with_m_in_a_raw_group_is_5001_within_its_groups(codec, outer):
    unknown = encode_avp(99999, b"abc", 12345, 0x40)
    sound = avp("3GPP-RAT-Type", b"\6")
    octets = request_with(avp(outer, avp("PS-Information", sound + unknown + sound)))
    error = refusal(codec, octets)
    assert error.result_code == 5001
    assert error.failed_avp == avp(outer, avp("PS-Information", unknown))


def test_a_profile_shows_itself_briefly():
    assert repr(STANDARD) == f"Profile({len(standard())} AVPs, lenient=False)"


def test_a_lenient_profile_keeps_unknown_avps_with_m(codec):
    unknown = encode_avp(99999, b"abc", 12345, 0x40)
    octets = request_with(unknown, avp("Service-Information", avp("PS-Information", unknown)))
    request = codec.decode(CreditControlRequest, octets, profile=Profile(STANDARD.grouped, lenient=True))
    assert request.avps == (Avp(99999, 12345, 0xC0, b"abc"),)
    assert unknown in request.service_information


def test_a_profile_with_a_wider_dictionary_knows_its_avps(codec, tmp_path):
    path = tmp_path / "acme.dia"
    path.write_text("@vendor ACME 12345\nACME-Plan 99999 Grouped M\n", encoding="utf-8")
    profile = Profile(standard().extended(path).grouped)
    sound = encode_avp(99999, avp("Rating-Group", word(1)), 12345, 0x40)
    broken = encode_avp(99999, b"abc", 12345, 0x40)
    assert codec.decode(CreditControlRequest, request_with(sound), profile=profile).avps[0].vendor_id == 12345
    assert refusal(codec, request_with(broken), profile=profile).result_code == 5014


def test_unknown_vendor_avp_without_m_is_kept_unread(codec):
    octets = request_with(encode_avp(5, b"\0\0\0\1\x40\0\0\3", 12345, 0))
    assert codec.decode(CreditControlRequest, octets).avps[0].data == b"\0\0\0\1\x40\0\0\3"


def test_proxy_info_and_failed_avp_are_not_looked_into(codec):
    inside = encode_avp(99999, b"any", 0, 0x40)
    octets = request_with(avp("Proxy-Info", inside))
    assert codec.decode(CreditControlRequest, octets).proxy_info == (inside,)
    octets = frame(0x40, 4, credit_control_answer(failed_avp=(inside,)))
    assert codec.decode(CreditControlAnswer, octets).failed_avp == (inside,)


def test_bad_utf8_is_5004_with_the_avp(codec):
    bad = avp("Destination-Host", b"caf\xe9")
    error = refusal(codec, request_with(bad))
    assert error.result_code == 5004
    assert error.failed_avp == bad


def test_bad_utf8_in_a_group_is_5004_within_the_group(codec):
    bad = avp("Subscription-Id-Data", b"\xc3(")
    error = refusal(codec, request_with(avp("Subscription-Id", avp("Subscription-Id-Type", word(0)) + bad)))
    assert error.result_code == 5004
    assert error.failed_avp == avp("Subscription-Id", bad)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("Origin-State-Id", 3),
        ("Origin-State-Id", 0),
        ("Origin-State-Id", 8),
        ("CC-Sub-Session-Id", 4),
        ("Event-Timestamp", 5),
        ("Requested-Action", 1),
    ],
)
def test_data_of_the_wrong_size_is_5014_with_the_avp(codec, name, size):
    error = refusal(codec, request_with(avp(name, bytes(size))))
    assert error.result_code == 5014
    assert error.failed_avp == avp(name, bytes(size))


def test_vendor_data_of_the_wrong_size_is_5014(codec):
    group = avp("Multiple-Services-Credit-Control", avp("Quota-Holding-Time", bytes(3)))
    error = refusal(codec, request_with(group))
    assert error.result_code == 5014
    assert error.failed_avp == group


@pytest.mark.parametrize("length", [0, 3, 7, 200])
def test_avp_with_a_length_that_cannot_be_is_5014_with_a_sound_example(codec, length):
    octets = request_with(word(439) + b"\x40" + length.to_bytes(3, "big") + word(1))
    error = refusal(codec, octets)
    assert error.result_code == 5014
    assert error.failed_avp == avp("Service-Identifier", word(0))


def test_avp_longer_than_its_group_is_5014(codec):
    inside = word(432) + b"\x40\0\0\x10" + word(1)
    octets = request_with(avp("Multiple-Services-Credit-Control", inside))
    error = refusal(codec, octets)
    assert error.result_code == 5014
    assert error.failed_avp == avp("Multiple-Services-Credit-Control", avp("Rating-Group", word(0)))


def test_padding_beyond_its_group_is_5014(codec):
    inside = avp("Subscription-Id-Type", word(0)) + avp("Subscription-Id-Data", b"44770")[:13]
    error = refusal(codec, request_with(encode_avp(443, inside)))
    assert error.result_code == 5014
    assert error.failed_avp == avp("Subscription-Id", avp("Subscription-Id-Data", b""))


@pytest.mark.parametrize("length", [0, 7, 8, 11])
def test_vendor_avp_shorter_than_its_header_is_5014_with_a_sound_example(codec, length):
    inside = word(869) + b"\xc0" + length.to_bytes(3, "big") + word(10415) + word(1)
    error = refusal(codec, request_with(avp("Multiple-Services-Credit-Control", inside)))
    assert error.result_code == 5014
    assert error.failed_avp == avp("Multiple-Services-Credit-Control", avp("Volume-Quota-Threshold", word(0)))


def test_a_single_avp_twice_is_5009_with_the_second(codec):
    second = avp("Origin-Host", b"another.example")
    error = refusal(codec, request_with(second))
    assert error.result_code == 5009
    assert error.failed_avp == second


def test_a_single_group_twice_is_5009(codec):
    group = avp("Requested-Service-Unit", b"")
    error = refusal(codec, request_with(avp("Multiple-Services-Credit-Control", group + group)))
    assert error.result_code == 5009
    assert error.failed_avp == avp("Multiple-Services-Credit-Control", group)


@pytest.mark.parametrize(
    ("index", "example"),
    [
        (0, avp("Session-Id", b"")),
        (3, avp("Destination-Realm", b"")),
        (4, avp("Auth-Application-Id", word(0))),
        (6, avp("CC-Request-Type", word(0))),
    ],
)
def test_a_missing_avp_is_5005_with_an_example_of_least_size(codec, index, example):
    octets = encode_message(0xC0, 272, 4, 1, 1, b"".join(REQUIRED[:index] + REQUIRED[index + 1 :]))
    error = refusal(codec, octets)
    assert error.result_code == 5005
    assert error.failed_avp == example


def test_a_missing_avp_in_a_group_is_5005_within_the_group(codec):
    error = refusal(codec, request_with(avp("Subscription-Id", avp("Subscription-Id-Type", word(1)))))
    assert error.result_code == 5005
    assert error.failed_avp == avp("Subscription-Id", avp("Subscription-Id-Data", b""))


def test_an_address_that_is_missing_is_shown_with_six_octets(codec):
    cer = b"".join([avp("Origin-Host", b"a"), avp("Origin-Realm", b"b"), avp("Vendor-Id", word(0))])
    octets = encode_message(0x80, 257, 0, 1, 1, cer + avp("Product-Name", b"x"))
    error = refusal(codec, octets, COMMANDS[257, True])
    assert error.result_code == 5005
    assert error.failed_avp == avp("Host-IP-Address", bytes(6))


def test_an_empty_message_is_5005(codec):
    assert refusal(codec, encode_message(0xC0, 272, 4, 1, 1, b"")).result_code == 5005


def test_groups_nest_to_the_limit_and_no_deeper(codec):
    leaf = avp("Rating-Group", word(1))
    assert codec.decode(CreditControlRequest, request_with(nested(MAX_DEPTH, leaf))).service_information
    assert refusal(codec, request_with(nested(MAX_DEPTH + 1, leaf))).result_code == 5012


def test_groups_of_a_class_count_towards_the_depth(codec):
    def octets(depth):
        inside = nested(depth - 2, avp("Rating-Group", word(1)))
        return request_with(avp("Multiple-Services-Credit-Control", avp("Used-Service-Unit", inside)))

    assert codec.decode(CreditControlRequest, octets(MAX_DEPTH)).multiple_services_credit_control
    assert refusal(codec, octets(MAX_DEPTH + 1)).result_code == 5012


def test_vendor_zero_under_the_v_flag_is_the_same_avp(codec):
    def written_out(size):
        return word(439) + b"\xc0" + (12 + size).to_bytes(3, "big") + word(0) + word(7)[4 - size :]

    assert codec.decode(CreditControlRequest, request_with(written_out(4))).service_identifier == 7
    error = refusal(codec, request_with(written_out(0)))
    assert error.result_code == 5014
    assert error.failed_avp == avp("Service-Identifier", b"")


def test_a_depth_bomb_ends_at_once(codec):
    octets = request_with(nested(5000))
    assert len(octets) > 50_000
    started = time.process_time()
    assert refusal(codec, octets).result_code == 5012
    assert time.process_time() - started < 1


@pytest.mark.parametrize("where", ["top", "raw group", "class's group"])
def test_512_avps_are_taken_and_513_are_not(codec, where):
    def octets(number):
        few = number - len(REQUIRED)
        one = avp("Service-Identifier", word(1))
        match where:
            case "top":
                return request_with(*few * [avp("Route-Record", b"a")])
            case "raw group":
                return request_with(avp("Service-Information", (few - 1) * avp("Rating-Group", word(1))))
        return request_with(avp("Multiple-Services-Credit-Control", (few - 1) * one))

    assert codec.decode(CreditControlRequest, octets(512)).session_id == SESSION
    assert refusal(codec, octets(513)).result_code == 5012


@pytest.mark.parametrize(
    ("ntp", "unix"),
    [
        (0xFFFFFFFF, 2085978495),
        (0, 2085978496),
        (1, 2085978497),
        (2208988800, 0),
        (0x80000000, -61505152),
        (0x7FFFFFFF, 4233462143),
    ],
)
def test_time_passes_into_the_second_ntp_era_in_2036(ntp, unix):
    assert time_to_unix(ntp) == unix
    assert unix_to_time(unix) == ntp


def test_time_avp_after_2036_survives_a_round_trip(codec):
    request = credit_control_request(event_timestamp=2_200_000_000)
    octets = frame(0xC0, 4, request)
    assert codec.decode(CreditControlRequest, octets).event_timestamp == 2_200_000_000


@pytest.mark.parametrize(
    "message",
    [
        CreditControlAnswer(result_code=-1),
        CreditControlAnswer(result_code=2**32),
        CreditControlAnswer(cc_request_type=2**31),
        CreditControlAnswer(error_message="\ud800"),
        GrantedServiceUnit(cc_total_octets=2**64),
        GrantedServiceUnit(tariff_time_change=-100_000_000),
        GrantedServiceUnit(tariff_time_change=2**33),
    ],
)
def test_a_value_that_does_not_fit_is_our_own_error(codec, message):
    with pytest.raises(LocalProtocolError):
        codec.encode(message)


def test_error_answer_reads_what_the_error_grammar_leaves(codec):
    octets = frame(0x60, 4, ErrorAnswer(origin_host="a", origin_realm="b", result_code=3004), command_code=272)
    answer = codec.decode(ErrorAnswer, octets)
    assert (answer.result_code, answer.session_id) == (3004, None)


def test_messages_are_values():
    assert hash(SubscriptionId(0, "44")) == hash(SubscriptionId(0, "44"))
    with pytest.raises(AttributeError):
        SubscriptionId(0, "44").subscription_id_data = "45"


def test_the_source_of_the_generated_functions_can_be_read():
    text = generated.source(MultipleServicesCreditControl)
    assert "def decode(" in text
    assert "def encode(" in text
    assert "rating_group" in text


def test_classes_that_cannot_be_messages_are_refused():
    class NoRest(Group, frozen=True):
        rating_group: Annotated[int, AvpField("Rating-Group")]

    class NoName(Group, frozen=True):
        rating_group: int
        avps: tuple[Avp, ...] = ()

    class WrongType(Group, frozen=True):
        rating_group: Annotated[str, AvpField("Rating-Group")]
        avps: tuple[Avp, ...] = ()

    for cls in (NoRest, NoName, WrongType):
        with pytest.raises(TypeError):
            plan(cls)


def test_every_failed_avp_is_itself_well_formed(codec):
    for broken in (word(439) + b"\x40\0\0\3", encode_avp(99999, b"", 0, 0x40), avp("Origin-State-Id", b"")):
        failed = refusal(codec, request_with(broken)).failed_avp
        assert len(decode_avps(failed, 0, len(failed))) == 1
