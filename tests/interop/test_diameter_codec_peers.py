"""Two codecs that are not ours read what we write: python-diameter, field by field, and tshark."""

import datetime
import json
import shutil
import subprocess

import msgspec
import pytest
from diameter.message import Message
from diameter.message import commands as theirs
from diameter.message.avp import grouped
from diameter.message.avp.dictionary import AVP_DICTIONARY, AVP_VENDOR_DICTIONARY
from interop import pcap
from support.gy_samples import SESSION, avp, credit_control_request, error_frame, frame, one_of_each, word

from protocols.diameter import messages as ours
from protocols.diameter.codec import HEADER_SIZE, decode_avps, decode_header
from protocols.diameter.dictionary import AvpType, standard
from protocols.diameter.fields import plan
from protocols.diameter.generated import decode

SAMPLES = one_of_each()
NAMES = [f"{index}-{type(sample).__name__}" for index, (_, _, sample) in enumerate(SAMPLES)]
TSHARK = shutil.which("tshark")
needs_tshark = pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")

THEIR_SPELLING = {"host_ip_address": lambda value: [address_of(item) for item in value]}


def address_of(octets):
    family = int.from_bytes(octets[:2], "big")
    text = ".".join(map(str, octets[2:])) if family == 1 else "::1"
    return family, text


def their_form(field, value):
    """Our value of a field as python-diameter gives it."""
    if field.attribute in THEIR_SPELLING:
        return THEIR_SPELLING[field.attribute](value)
    if field.avp.type is AvpType.DIAMETER_IDENTITY:
        return value.encode() if isinstance(value, str) else [item.encode() for item in value]
    if field.avp.type is AvpType.TIME:
        return datetime.datetime.fromtimestamp(value)  # noqa: DTZ006 - python-diameter gives naive local times
    if field.attribute == "session_id":
        return value.decode()
    return list(value) if isinstance(value, tuple) else value


def compare(mine, other, seen):
    """Hold each field of our message against the attribute of the same name; `seen` counts them."""
    for field in plan(type(mine)).fields:
        value = getattr(mine, field.attribute)
        if value in {None, ()} or field.attribute in {"service_information", "failed_avp"}:
            continue
        if not hasattr(other, field.attribute):
            continue
        their_value = getattr(other, field.attribute)
        if field.group is not None:
            pairs = zip(value, their_value, strict=True) if field.repeated else [(value, their_value)]
            for one, another in pairs:
                compare(one, another, seen)
            continue
        if field.repeated and not isinstance(their_value, list):
            their_value = [their_value]  # Reporting-Reason occurs once in their Used-Service-Unit
        assert their_value == their_form(field, value), field.avp.name
        seen.append(field.avp.name)


@pytest.mark.parametrize(("flags", "application", "sample"), SAMPLES, ids=NAMES)
def test_python_diameter_reads_every_field_that_we_write(flags, application, sample):
    if isinstance(sample, ours.CreditControlRequest):  # python-diameter's times after 2036 are an hour early
        sample = msgspec.structs.replace(sample, event_timestamp=1_700_000_000)
    octets = frame(flags, application, sample)
    message = Message.from_bytes(octets)
    seen = []
    compare(sample, message, seen)
    expected = sum(getattr(sample, field.attribute) not in {None, ()} for field in plan(type(sample)).fields)
    assert len(seen) >= expected - 2
    header = decode_header(octets)
    assert (message.header.command_code, message.header.application_id) == (header.command_code, application)
    assert (message.header.hop_by_hop_identifier, message.header.end_to_end_identifier) == (0x1001, 0x2002)


@pytest.mark.parametrize(("flags", "application", "sample"), SAMPLES, ids=NAMES)
def test_python_diameter_sees_the_same_avps(flags, application, sample):
    octets = frame(flags, application, sample)
    mine = decode_avps(octets, HEADER_SIZE, len(octets))
    other = Message.from_bytes(octets, plain_msg=True).avps
    assert [(item.code, item.vendor_id, item.data) for item in mine] == [
        (item.code, item.vendor_id, item.payload) for item in other
    ]


def filled(message, **values):
    for name, value in values.items():
        setattr(message, name, value)
    message.header.hop_by_hop_identifier, message.header.end_to_end_identifier = 11, 22
    return message


US = {"origin_host": b"pgw.example", "origin_realm": b"example"}
GY = {"session_id": "pgw.example;1;2", **US}
DESTINATION = {"destination_realm": b"tpo.example", "destination_host": b"ocs.tpo.example", "auth_application_id": 4}
MOMENT = datetime.datetime.fromtimestamp(1_700_000_000)  # noqa: DTZ006 - python-diameter takes naive local times


def their_mscc():
    unit = grouped.UsedServiceUnit(cc_time=9, cc_input_octets=2**40, cc_output_octets=0, tariff_change_usage=1)
    return grouped.MultipleServicesCreditControl(
        rating_group=100,
        service_identifier=[1, 2],
        requested_service_unit=grouped.RequestedServiceUnit(),
        used_service_unit=[unit, grouped.UsedServiceUnit(cc_total_octets=5)],
        reporting_reason=[2],
        quota_holding_time=60,
    )


def test_we_read_the_credit_control_request_of_python_diameter():
    request = filled(
        theirs.CreditControlRequest(),
        **GY,
        **DESTINATION,
        service_context_id="32251@3gpp.org",
        cc_request_type=2,
        cc_request_number=7,
        event_timestamp=MOMENT,
        termination_cause=1,
        multiple_services_indicator=1,
        subscription_id=[grouped.SubscriptionId(subscription_id_type=0, subscription_id_data="447700900123")],
        multiple_services_credit_control=[their_mscc()],
        route_record=[b"dra.example"],
        proxy_info=[grouped.ProxyInfo(proxy_host=b"dra.example", proxy_state=b"\1\2\3")],
        service_information=grouped.ServiceInformation(
            ps_information=grouped.PsInformation(
                tgpp_charging_id=word(9), called_station_id="internet", sgsn_address=["10.0.0.1"], tgpp_rat_type=b"\6"
            )
        ),
    )
    octets = request.as_bytes()
    found = decode(ours.CreditControlRequest, octets)
    header = decode_header(octets)
    assert (header.command_code, header.hop_by_hop, header.end_to_end, header.request) == (272, 11, 22, True)
    assert (found.session_id, found.origin_host, found.origin_realm) == (b"pgw.example;1;2", "pgw.example", "example")
    assert (found.destination_realm, found.destination_host) == ("tpo.example", "ocs.tpo.example")
    assert (found.auth_application_id, found.service_context_id) == (4, "32251@3gpp.org")
    assert (found.cc_request_type, found.cc_request_number, found.termination_cause) == (2, 7, 1)
    assert found.event_timestamp == 1_700_000_000
    assert found.subscription_id == (ours.SubscriptionId(0, "447700900123"),)
    assert found.route_record == ("dra.example",)
    assert found.proxy_info == (avp("Proxy-Host", b"dra.example") + avp("Proxy-State", b"\1\2\3"),)
    assert avp("Called-Station-Id", b"internet") in found.service_information
    assert found.multiple_services_credit_control == (
        ours.MultipleServicesCreditControl(
            requested_service_unit=ours.RequestedServiceUnit(),
            used_service_unit=(
                ours.UsedServiceUnit(tariff_change_usage=1, cc_time=9, cc_input_octets=2**40, cc_output_octets=0),
                ours.UsedServiceUnit(cc_total_octets=5),
            ),
            service_identifier=(1, 2),
            rating_group=100,
            quota_holding_time=60,
            reporting_reason=(2,),
        ),
    )


def test_we_read_the_credit_control_answer_of_python_diameter():
    indication = grouped.FinalUnitIndication(
        final_unit_action=1,
        redirect_server=grouped.RedirectServer(redirect_address_type=2, redirect_server_address="http://a.example"),
    )
    mscc = grouped.MultipleServicesCreditControl(
        rating_group=1,
        result_code=2001,
        validity_time=600,
        granted_service_unit=grouped.GrantedServiceUnit(cc_total_octets=7, cc_time=8),
        final_unit_indication=indication,
        volume_quota_threshold=3,
    )
    answer = filled(
        theirs.CreditControlAnswer(),
        **GY,
        result_code=2001,
        auth_application_id=4,
        cc_request_type=1,
        cc_request_number=0,
        multiple_services_credit_control=[mscc],
    )
    assert decode(ours.CreditControlAnswer, answer.as_bytes()) == ours.CreditControlAnswer(
        session_id=b"pgw.example;1;2",
        origin_host="pgw.example",
        origin_realm="example",
        result_code=2001,
        auth_application_id=4,
        cc_request_type=1,
        cc_request_number=0,
        multiple_services_credit_control=(
            ours.MultipleServicesCreditControl(
                granted_service_unit=ours.GrantedServiceUnit(cc_total_octets=7, cc_time=8),
                rating_group=1,
                validity_time=600,
                result_code=2001,
                final_unit_indication=ours.FinalUnitIndication(
                    1, redirect_server=ours.RedirectServer(2, "http://a.example")
                ),
                volume_quota_threshold=3,
            ),
        ),
    )


CAPABILITIES = {
    "host_ip_address": ["127.0.0.1"],
    "vendor_id": 99,
    "product_name": "peer",
    "auth_application_id": [4],
    "supported_vendor_id": [10415],
    "origin_state_id": 5,
    "firmware_revision": 3,
}
US_READ = {"origin_host": "pgw.example", "origin_realm": "example"}
CAPABILITIES_READ = CAPABILITIES | {
    "host_ip_address": (b"\0\1\x7f\0\0\1",),
    "auth_application_id": (4,),
    "supported_vendor_id": (10415,),
}
GY_READ = {"session_id": b"pgw.example;1;2", **US_READ}
DESTINATION_READ = {"destination_realm": "tpo.example", "destination_host": "ocs.tpo.example", "auth_application_id": 4}


@pytest.mark.parametrize(
    ("other", "values", "expected"),
    [
        (
            theirs.CapabilitiesExchangeRequest,
            US | CAPABILITIES,
            ours.CapabilitiesExchangeRequest(**US_READ, **CAPABILITIES_READ),
        ),
        (
            theirs.CapabilitiesExchangeAnswer,
            US | CAPABILITIES | {"result_code": 2001},
            ours.CapabilitiesExchangeAnswer(result_code=2001, **US_READ, **CAPABILITIES_READ),
        ),
        (
            theirs.DeviceWatchdogRequest,
            US | {"origin_state_id": 5},
            ours.DeviceWatchdogRequest(**US_READ, origin_state_id=5),
        ),
        (theirs.DeviceWatchdogAnswer, US | {"result_code": 2001}, ours.DeviceWatchdogAnswer(2001, **US_READ)),
        (
            theirs.DisconnectPeerRequest,
            US | {"disconnect_cause": 2},
            ours.DisconnectPeerRequest(**US_READ, disconnect_cause=2),
        ),
        (theirs.DisconnectPeerAnswer, US | {"result_code": 2001}, ours.DisconnectPeerAnswer(2001, **US_READ)),
        (
            theirs.ReAuthRequest,
            GY | DESTINATION | {"re_auth_request_type": 1},
            ours.ReAuthRequest(**GY_READ, **DESTINATION_READ, re_auth_request_type=1),
        ),
        (theirs.ReAuthAnswer, GY | {"result_code": 2002}, ours.ReAuthAnswer(**GY_READ, result_code=2002)),
        (theirs.AbortSessionRequest, GY | DESTINATION, ours.AbortSessionRequest(**GY_READ, **DESTINATION_READ)),
        (theirs.AbortSessionAnswer, GY | {"result_code": 5002}, ours.AbortSessionAnswer(**GY_READ, result_code=5002)),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_we_read_the_base_messages_of_python_diameter(other, values, expected):
    octets = filled(other(), **values).as_bytes()
    found = decode(type(expected), octets)
    assert msgspec.structs.replace(found, avps=()) == expected
    assert decode_header(octets).command_code == type(expected).command_code


def test_python_diameter_s_dictionary_agrees_on_which_avps_are_groups():
    known_to_both = 0
    for definition in standard():
        table = AVP_VENDOR_DICTIONARY.get(definition.vendor_id, {}) if definition.vendor_id else AVP_DICTIONARY
        entry = table.get(definition.code)
        if entry is None or definition.vendor_id not in {0, 10415}:
            continue  # other vendors' groups are kept unread on purpose
        known_to_both += 1
        assert (definition.type is AvpType.GROUPED) == (entry["type"].__name__ == "AvpGrouped"), definition.name
    assert known_to_both > 900


def tshark(path, *arguments):
    command = [TSHARK, "-r", str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout


@needs_tshark
def test_tshark_reads_all_our_messages_without_a_complaint(tmp_path):
    frames = [frame(*sample) for sample in SAMPLES] + [error_frame()]
    pcap.write(tmp_path / "ours.pcap", frames)
    assert tshark(tmp_path / "ours.pcap", "-Y", "_ws.malformed || _ws.expert.severity >= 6291456") == ""
    codes = tshark(tmp_path / "ours.pcap", "-T", "fields", "-e", "diameter.cmd.code").split()
    assert [int(code) for code in codes] == [decode_header(octets).command_code for octets in frames]


@needs_tshark
def test_tshark_would_complain_of_a_broken_message(tmp_path):
    octets = bytearray(frame(0xC0, 4, credit_control_request()))
    octets[HEADER_SIZE + 7] = 3
    pcap.write(tmp_path / "broken.pcap", [bytes(octets)])
    assert tshark(tmp_path / "broken.pcap", "-Y", "_ws.malformed || _ws.expert.severity >= 6291456") != ""


@needs_tshark
def test_tshark_reads_the_values_that_we_wrote(tmp_path):
    pcap.write(tmp_path / "request.pcap", [frame(0xC0, 4, credit_control_request())])
    fields = ["Session-Id", "Origin-Host", "CC-Request-Type", "CC-Request-Number", "CC-Input-Octets", "Rating-Group",
              "Subscription-Id-Data", "Called-Station-Id", "CC-Total-Octets", "3GPP-Reporting-Reason"]  # fmt: skip
    elements = [argument for name in fields for argument in ("-e", f"diameter.{name}")]
    (packet,) = json.loads(tshark(tmp_path / "request.pcap", "-T", "json", *elements))
    assert packet["_source"]["layers"] == {
        "diameter.Session-Id": [SESSION.decode()],
        "diameter.Origin-Host": ["smf.localdomain"],
        "diameter.CC-Request-Type": ["2"],
        "diameter.CC-Request-Number": ["5"],
        "diameter.CC-Input-Octets": ["1234", "1234"],
        "diameter.CC-Total-Octets": ["1000000", "1000000"],
        "diameter.Rating-Group": ["10", "20"],
        "diameter.3GPP-Reporting-Reason": ["3", "3"],
        "diameter.Subscription-Id-Data": ["234101234567890", "447700900123"],
        "diameter.Called-Station-Id": ["internet"],
    }


@needs_tshark
def test_tshark_reads_a_time_after_2036_as_we_do(tmp_path):
    pcap.write(tmp_path / "late.pcap", [frame(0xC0, 4, credit_control_request(event_timestamp=2_200_000_000))])
    found = tshark(tmp_path / "late.pcap", "-T", "fields", "-e", "diameter.Event-Timestamp")
    assert found.startswith("Sep 18, 2039 23:06:40")
