"""Diameter messages as real clients and we send them: one of each class, and the Gy requests of field notes."""

from protocols.diameter import messages as m
from protocols.diameter.codec import Avp, encode_avp, encode_message
from protocols.diameter.dictionary import standard
from protocols.diameter.generated import encode

SESSION = b"smf.localdomain;1598111549;1;app_gy"


def avp(name, data):
    """One AVP by its name, with the flags of the dictionary."""
    definition = standard().by_name(name)
    return encode_avp(definition.code, data, definition.vendor_id, definition.flags)


def word(number):
    return number.to_bytes(4, "big")


def address(last):
    return b"\0\1\x0a\x2d\0" + bytes([last])


def ps_information():
    """Service-Information as Open5GS fills it."""
    inside = [
        avp("3GPP-Charging-Id", word(7)),
        avp("3GPP-PDP-Type", word(0)),
        avp("PDP-Address", address(2)),
        avp("SGSN-Address", address(3)),
        avp("GGSN-Address", address(4)),
        avp("Called-Station-Id", b"internet"),
        avp("3GPP-Selection-Mode", b"0"),
        avp("3GPP-Charging-Characteristics", b"0800"),
        avp("3GPP-SGSN-MCC-MNC", b"23410"),
        avp("3GPP-NSAPI", b"\5"),
        avp("3GPP-MS-TimeZone", b"\0\0"),
        avp("3GPP-User-Location-Info", b"\x82\x32\xf4\x01\0\1\x32\xf4\x01\0\0\1\1"),
        avp("3GPP-RAT-Type", b"\6"),
        avp(
            "User-Equipment-Info",
            avp("User-Equipment-Info-Type", word(0)) + avp("User-Equipment-Info-Value", b"3512345678901234"),
        ),
    ]
    return avp("PS-Information", b"".join(inside))


def quality_of_service():
    inside = avp("QoS-Class-Identifier", word(9)) + avp(
        "Allocation-Retention-Priority",
        avp("Priority-Level", word(8))
        + avp("Pre-emption-Capability", word(1))
        + avp("Pre-emption-Vulnerability", word(1)),
    )
    definition = standard().by_name("QoS-Information")
    return Avp(definition.code, definition.vendor_id, definition.flags, inside)


def credit_control_request(**changes):
    """A CCR-U with two rating groups, input and output octets without a total."""
    fields = {
        "session_id": SESSION,
        "origin_host": "smf.localdomain",
        "origin_realm": "localdomain",
        "destination_realm": "tpo.example",
        "auth_application_id": 4,
        "service_context_id": "32251@3gpp.org",
        "cc_request_type": 2,
        "cc_request_number": 5,
        "destination_host": "ocs.tpo.example",
        "event_timestamp": 1_700_000_000,
        "subscription_id": (m.SubscriptionId(1, "234101234567890"), m.SubscriptionId(0, "447700900123")),
        "requested_action": 0,
        "multiple_services_indicator": 1,
        "multiple_services_credit_control": (reported(10), reported(20)),
        "service_information": ps_information(),
    }
    return m.CreditControlRequest(**fields | changes)


def reported(rating_group):
    used = m.UsedServiceUnit(cc_time=10, cc_input_octets=1234, cc_output_octets=567890, reporting_reason=(3,))
    return m.MultipleServicesCreditControl(
        requested_service_unit=m.RequestedServiceUnit(cc_total_octets=1_000_000),
        used_service_unit=(used,),
        rating_group=rating_group,
        avps=(quality_of_service(),),
    )


def credit_control_answer(**changes):
    fields = {
        "session_id": SESSION,
        "origin_host": "ocs.tpo.example",
        "origin_realm": "tpo.example",
        "result_code": 2001,
        "auth_application_id": 4,
        "cc_request_type": 2,
        "cc_request_number": 5,
        "cc_session_failover": 1,
        "multiple_services_credit_control": (granted(10), granted(20, last=True)),
        "credit_control_failure_handling": 0,
    }
    return m.CreditControlAnswer(**fields | changes)


def granted(rating_group, *, last=False):
    server = m.RedirectServer(2, "http://top-up.example/")
    return m.MultipleServicesCreditControl(
        granted_service_unit=m.GrantedServiceUnit(tariff_time_change=1_700_003_600, cc_total_octets=10_000_000),
        rating_group=rating_group,
        validity_time=3600,
        result_code=2001,
        final_unit_indication=m.FinalUnitIndication(1, redirect_server=server) if last else None,
        volume_quota_threshold=2_000_000,
        quota_holding_time=600,
    )


def one_of_each():
    """Every message class with values in most of its fields, as (flags, application, message)."""
    us = {"origin_host": "ocs.tpo.example", "origin_realm": "tpo.example"}
    to = {"destination_realm": "localdomain", "destination_host": "smf.localdomain"}
    application = m.VendorSpecificApplicationId(vendor_id=10415, auth_application_id=4)
    capabilities = {
        "host_ip_address": (b"\0\1\x7f\0\0\1", b"\0\2" + bytes(15) + b"\1"),
        "vendor_id": 0,
        "product_name": "TPO gateway",
        "origin_state_id": 1_700_000_000,
        "supported_vendor_id": (10415, 13019),
        "auth_application_id": (4,),
        "inband_security_id": (0,),
        "vendor_specific_application_id": (application,),
        "firmware_revision": 1,
    }
    failed = avp("Rating-Group", word(0))
    return [
        (0x80, 0, m.CapabilitiesExchangeRequest(**us, **capabilities)),
        (0x00, 0, m.CapabilitiesExchangeAnswer(result_code=2001, **us, **capabilities)),
        (0x80, 0, m.DeviceWatchdogRequest(**us, origin_state_id=7)),
        (0x00, 0, m.DeviceWatchdogAnswer(result_code=2001, **us, origin_state_id=7)),
        (0x80, 0, m.DisconnectPeerRequest(**us, disconnect_cause=0)),
        (0x00, 0, m.DisconnectPeerAnswer(result_code=2001, **us)),
        (0xC0, 4, credit_control_request()),
        (0xC0, 4, credit_control_request(cc_request_type=3, termination_cause=1, event_timestamp=2_200_000_000)),
        (0x40, 4, credit_control_answer()),
        (
            0x40,
            4,
            credit_control_answer(result_code=5005, error_message="Rating-Group is missing", failed_avp=(failed,)),
        ),
        (0xC0, 4, m.ReAuthRequest(session_id=SESSION, **us, **to, auth_application_id=4, re_auth_request_type=0)),
        (0x40, 4, m.ReAuthAnswer(session_id=SESSION, result_code=2002, **us)),
        (0xC0, 4, m.AbortSessionRequest(session_id=SESSION, **us, **to, auth_application_id=4)),
        (0x40, 4, m.AbortSessionAnswer(session_id=SESSION, result_code=2001, **us)),
    ]


def frame(flags, application, message, *, command_code=None):
    """A whole message on the wire."""
    code = type(message).command_code if command_code is None else command_code
    return encode_message(flags, code, application, 0x1001, 0x2002, encode(message))


def error_frame():
    """A CCA by the error grammar, under the E bit."""
    answer = m.ErrorAnswer(
        session_id=SESSION,
        origin_host="ocs.tpo.example",
        origin_realm="tpo.example",
        result_code=3002,
        error_message="we are not that host",
        proxy_info=(avp("Proxy-Host", b"dra.example") + avp("Proxy-State", b"\1\2\3"),),
    )
    return frame(0x60, 4, answer, command_code=272)
