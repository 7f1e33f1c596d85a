"""Credit-Control-Requests as templates: built once, patched per request, so that the client costs little beside the server."""

import struct
import time

from protocols.diameter.codec import encode_avp, encode_message
from protocols.diameter.dictionary import standard
from protocols.diameter.generated import encode
from protocols.diameter.messages import (
    CapabilitiesExchangeRequest,
    CreditControlRequest,
    DeviceWatchdogAnswer,
    DisconnectPeerRequest,
    MultipleServicesCreditControl,
    RequestedServiceUnit,
    SubscriptionId,
    UsedServiceUnit,
)

CLIENT, CLIENT_REALM = "pgw.host.example", "host.example"
CLIENTS = ("pgw-1.host.example", "pgw-2.host.example")
"""Who the client is to the first and the second of two servers."""
SERVER, SERVER_REALM = "ocs.tpo.example", "tpo.example"
INITIAL, UPDATE, TERMINATION = 1, 2, 3
STEPS = (INITIAL, UPDATE, UPDATE, UPDATE, TERMINATION)
"""The life of every session: five requests."""
UPDATE_OCTETS, FINAL_OCTETS = 1_000_003, 20_011
"""What each report reports: odd numbers, so that rounding has something to do."""
RATING_GROUP = 100
_SESSION = b"%b;%010d;%010d"
_NUMBER = 415
_IDS = struct.Struct(">II")


def line(number):
    """IMSI and MSISDN of a line: of the test network 00101, behind +44 7700 as the regulator's examples are."""
    return f"00101{number:010d}", f"447700{number:06d}"


def lines(count):
    """IMSI and MSISDN of each line."""
    return [line(number) for number in range(count)]


def service_information():
    """PS-Information as a PGW on LTE fills it: fifteen AVPs."""
    inside = (
        _named("3GPP-Charging-Id", b"\0\0\0\7")
        + _named("3GPP-PDP-Type", bytes(4))
        + _named("PDP-Address", b"\0\1\x0a\x2d\0\2")
        + _named("SGSN-Address", b"\0\1\x0a\x2d\0\3")
        + _named("GGSN-Address", b"\0\1\x0a\x2d\0\4")
        + _named("Called-Station-Id", b"internet")
        + _named("3GPP-Selection-Mode", b"0")
        + _named("3GPP-Charging-Characteristics", b"0800")
        + _named("3GPP-SGSN-MCC-MNC", b"00101")
        + _named("3GPP-NSAPI", b"5")
        + _named("3GPP-MS-TimeZone", b"\0\0")
        + _named("3GPP-User-Location-Info", b"\x82\0\xf1\x10\0\1\0\xf1\x10\0\0\1\1")
        + _named("3GPP-RAT-Type", b"\6")
    )
    return _named("PS-Information", inside)


def _named(name, data):
    definition = standard().by_name(name)
    return encode_avp(definition.code, data, definition.vendor_id, definition.flags)


def handshake(origin_host=CLIENT):
    """Our CER."""
    body = CapabilitiesExchangeRequest(
        origin_host=origin_host,
        origin_realm=CLIENT_REALM,
        host_ip_address=(b"\0\1\x7f\0\0\1",),
        vendor_id=0,
        product_name="bench",
        auth_application_id=(4,),
    )
    return encode_message(0x80, 257, 0, 1, 1, encode(body))


def watchdog_answer(origin_host, hop_by_hop, end_to_end):
    """Our DWA."""
    body = DeviceWatchdogAnswer(result_code=2001, origin_host=origin_host, origin_realm=CLIENT_REALM)
    return encode_message(0, 280, 0, hop_by_hop, end_to_end, encode(body))


def goodbye(origin_host):
    """Our DPR."""
    body = DisconnectPeerRequest(origin_host=origin_host, origin_realm=CLIENT_REALM, disconnect_cause=0)
    return encode_message(0x80, 282, 0, 2, 2, encode(body))


class Template:
    """A request of one type; `fill` patches Session-Id, number, customer and identifiers into it."""

    def __init__(self, request_type, imsi, msisdn, origin_host=CLIENT):
        self._origin_host = origin_host.encode()
        session_id = _SESSION % (self._origin_host, 0, 0)
        self._imsi, self._msisdn = imsi.encode(), msisdn.encode()
        used = {UPDATE: UPDATE_OCTETS, TERMINATION: FINAL_OCTETS}.get(request_type)
        mscc = MultipleServicesCreditControl(
            requested_service_unit=None if request_type == TERMINATION else RequestedServiceUnit(),
            used_service_unit=() if used is None else (UsedServiceUnit(cc_total_octets=used),),
            rating_group=RATING_GROUP,
        )
        request = CreditControlRequest(
            session_id=session_id,
            origin_host=origin_host,
            origin_realm=CLIENT_REALM,
            destination_realm=SERVER_REALM,
            auth_application_id=4,
            service_context_id="32251@3gpp.org",
            cc_request_type=request_type,
            cc_request_number=0,
            origin_state_id=1,
            event_timestamp=int(time.time()),
            subscription_id=(SubscriptionId(1, imsi), SubscriptionId(0, msisdn)),
            termination_cause=1 if request_type == TERMINATION else None,
            multiple_services_indicator=1 if request_type == INITIAL else None,
            multiple_services_credit_control=(mscc,),
            service_information=service_information(),
        )
        self._frame = encode_message(0xC0, 272, 4, 0, 0, encode(request))
        self._session_at, self._session_size = self._frame.index(session_id), len(session_id)
        self._number_at = self._frame.index(_NUMBER.to_bytes(4, "big") + b"\x40\0\0\x0c") + 8
        self._imsi_at, self._msisdn_at = self._frame.index(self._imsi), self._frame.index(self._msisdn)
        self.size = len(self._frame)

    def fill(self, boot, session, number, customer, hop_by_hop, end_to_end):
        """One frame; `customer` is the IMSI and MSISDN as octets."""
        frame = bytearray(self._frame)
        _IDS.pack_into(frame, 12, hop_by_hop, end_to_end)
        session_id = _SESSION % (self._origin_host, boot, session)
        frame[self._session_at : self._session_at + self._session_size] = session_id
        frame[self._number_at + 3] = number
        frame[self._imsi_at : self._imsi_at + len(self._imsi)] = customer[0]
        frame[self._msisdn_at : self._msisdn_at + len(self._msisdn)] = customer[1]
        return frame
