"""Read a Credit-Control-Request (RFC 8506 §3.1, TS 32.299 §6.4.2) into a charging request."""

import re
from collections.abc import Iterable

from gateway.charging.gy.service_information import read_called
from gateway.charging.request import (
    DATA,
    EVENT,
    INITIAL,
    MAX_OCTETS,
    MICROSECONDS,
    SMS,
    TERMINATION,
    VOICE,
    ChargingRequest,
    Item,
    Traffic,
    Used,
    usage_digest,
)
from gateway.rating.destinations import Destination, destination
from gateway.store.fitting import length_of, misfit
from gateway.store.tables import sessions
from protocols.diameter.codec import encode_avp
from protocols.diameter.errors import DiameterError, ResultCode
from protocols.diameter.messages import (
    CreditControlRequest,
    MultipleServicesCreditControl,
    RequestedServiceUnit,
    UsedServiceUnit,
)

E164, IMSI = 0, 1
"""Subscription-Id-Type (RFC 8506 §8.47)."""
DIRECT_DEBITING = 0
"""Requested-Action (RFC 8506 §8.41)."""
SESSION_ID, ORIGIN_HOST, ORIGIN_REALM, SUBSCRIPTION_ID, SUBSCRIPTION_ID_DATA = 263, 264, 296, 443, 444
"""AVP codes (RFC 6733 §4.5, RFC 8506 §8)."""
LATE_US = 48 * 3600 * MICROSECONDS
EARLY_US = 300 * MICROSECONDS
"""An Event-Timestamp counts if it is at most this much before or after the request's arrival."""
MAX_UNSIGNED64 = (1 << 64) - 1
_LONGEST_SESSION_ID = length_of(sessions.c.session_id)
_LONGEST_HOST, _LONGEST_PEER = length_of(sessions.c.origin_host), length_of(sessions.c.peer)
_CONTEXT = re.compile(r"(?:^|\.)(32\d{3})@3gpp\.org$")
_SERVICES = {"32251": DATA, "32255": DATA, "32260": VOICE, "32276": VOICE, "32274": SMS}


def read(ccr: CreditControlRequest, peer: str, now: int, country: str) -> ChargingRequest:
    """Turn a decoded CCR into a charging request; DiameterError names what cannot be taken.

    `now` is the time of arrival in microseconds; an Event-Timestamp close to it decides choice, price and time of the event.
    `country` is the one whose emergency and free numbers a called number is looked up among (ISO 3166).
    """
    if not INITIAL <= ccr.cc_request_type <= EVENT:
        raise _invalid(416, ccr.cc_request_type, "CC-Request-Type is none of RFC 8506's four")
    if ccr.cc_request_type == EVENT and ccr.requested_action not in (None, DIRECT_DEBITING):
        raise _invalid(436, ccr.requested_action or 0, "only DIRECT_DEBITING is served as an event")
    session_id = ccr.session_id.decode("latin-1")
    _check_texts(ccr, session_id, peer)
    service = _service(ccr)
    items = tuple(_items(ccr, service))
    event_at = _event_at(ccr.event_timestamp, now)
    msisdn = _subscription(ccr, E164)
    return ChargingRequest(
        session_id=session_id,
        origin_host=ccr.origin_host,
        peer=peer,
        request_type=ccr.cc_request_type,
        request_number=ccr.cc_request_number,
        service=service,
        event_at=event_at,
        as_of=max(event_at, min(event_at + MICROSECONDS - 1, now)),
        imsi=_subscription(ccr, IMSI),
        msisdn=msisdn,
        items=items,
        digest=usage_digest(items),
        inconsistent=any(_disagrees(unit) for unit in _reports(ccr)),
        realm=ccr.origin_realm if ccr.origin_host != peer else "",
        traffic=None if service == DATA else _traffic(ccr.service_information, msisdn, country),
    )


def _traffic(information: bytes | None, msisdn: str | None, country: str) -> Traffic | None:
    """Tell who is called: an emergency before all else, then the customer himself, then a number that is free to call."""
    if information is None:
        return None
    called = read_called(information)
    least = min(
        (max(destination(address, country) for address in addresses) for addresses in called.recipients),
        default=Destination.ORDINARY,
    )
    if least is Destination.EMERGENCY:
        return Traffic.EMERGENCY
    own = msisdn is not None and any(_is_number(address, msisdn) for each in called.recipients for address in each)
    if called.incoming or (called.incoming is None and own):
        return Traffic.INCOMING
    if least is Destination.FREE:
        return Traffic.FREE
    return Traffic.OUTGOING if called.recipients or called.incoming is not None else None


def _is_number(address: str, msisdn: str) -> bool:
    """Tell whether an address, maybe a URI, is the customer's own number in international form."""
    number = address.partition(":")[2] or address
    return re.split("[@;]", number, maxsplit=1)[0].lstrip("+") == msisdn


def _check_texts(ccr: CreditControlRequest, session_id: str, peer: str) -> None:
    """Refuse a text that the store can't hold, or can't look for: its whole batch would fail with it."""
    numbers = [subscription.subscription_id_data for subscription in ccr.subscription_id]
    everything = "".join((session_id, ccr.origin_host, peer, ccr.origin_realm, *numbers))
    if len(everything) <= _LONGEST_HOST and everything.isascii() and "\0" not in everything:
        return  # as nearly always
    for code, text, most in (
        (SESSION_ID, session_id, _LONGEST_SESSION_ID),
        (ORIGIN_HOST, ccr.origin_host, _LONGEST_HOST),
        (ORIGIN_HOST, peer, _LONGEST_PEER),
        (ORIGIN_REALM, ccr.origin_realm, _LONGEST_HOST),
    ):
        why = misfit(text, most)
        if why is not None:
            octets = text.encode("latin-1" if code == SESSION_ID else "utf-8")
            message = f"AVP {code} {why}"
            raise DiameterError(ResultCode.DIAMETER_INVALID_AVP_VALUE, message, encode_avp(code, octets))
    for subscription in ccr.subscription_id:
        data = subscription.subscription_id_data
        why = misfit(data) if subscription.subscription_id_type in (E164, IMSI) else None
        if why is not None:
            offending = encode_avp(SUBSCRIPTION_ID, encode_avp(SUBSCRIPTION_ID_DATA, data.encode()))
            raise DiameterError(ResultCode.DIAMETER_INVALID_AVP_VALUE, f"Subscription-Id-Data {why}", offending)


def _items(ccr: CreditControlRequest, service: str) -> Iterable[Item]:
    for mscc in ccr.multiple_services_credit_control:
        yield Item(
            rating_group=mscc.rating_group,
            service_identifier=mscc.service_identifier,
            used=tuple(_used(unit) for unit in mscc.used_service_unit),
            requested=_requested(ccr.cc_request_type, mscc, service),
        )
    if ccr.requested_service_unit is not None or ccr.used_service_unit:
        wanted = None if ccr.requested_service_unit is None else _quantity(ccr.requested_service_unit, service)
        identifier = () if ccr.service_identifier is None else (ccr.service_identifier,)
        used = tuple(_used(unit) for unit in ccr.used_service_unit)
        yield Item(None, identifier, used, wanted if ccr.cc_request_type != TERMINATION else None, command_level=True)


def _requested(request_type: int, mscc: MultipleServicesCreditControl, service: str) -> int | None:
    """Tell how much quota an MSCC wants; at the start, one that says nothing asks for its rating group to be authorised."""
    if request_type == TERMINATION:
        return None
    if mscc.requested_service_unit is not None:
        return _quantity(mscc.requested_service_unit, service)
    return 0 if request_type in (INITIAL, EVENT) and not mscc.used_service_unit else None


def _quantity(unit: RequestedServiceUnit, service: str) -> int:
    if service == DATA:
        value = unit.cc_total_octets or max(unit.cc_input_octets or 0, unit.cc_output_octets or 0)
    else:
        value = (unit.cc_time if service == VOICE else unit.cc_service_specific_units) or 0
    return min(value, MAX_OCTETS)


def _used(unit: UsedServiceUnit) -> Used:
    directions = (unit.cc_input_octets or 0) + (unit.cc_output_octets or 0)
    total = unit.cc_total_octets
    octets = directions if total is None or _disagrees(unit) else total
    return Used(min(octets, MAX_UNSIGNED64), unit.cc_time or 0, unit.cc_service_specific_units or 0)


def _disagrees(unit: UsedServiceUnit) -> bool:
    """Tell a total that is not the sum of both directions, when all three are given."""
    if unit.cc_total_octets is None or unit.cc_input_octets is None or unit.cc_output_octets is None:
        return False
    return unit.cc_total_octets != unit.cc_input_octets + unit.cc_output_octets


def _reports(ccr: CreditControlRequest) -> Iterable[UsedServiceUnit]:
    yield from ccr.used_service_unit
    for mscc in ccr.multiple_services_credit_control:
        yield from mscc.used_service_unit


def _service(ccr: CreditControlRequest) -> str:
    match = _CONTEXT.search(ccr.service_context_id)
    known = _SERVICES.get(match.group(1)) if match else None
    if known is None:
        raise DiameterError(
            ResultCode.DIAMETER_RATING_FAILED,
            f"Service-Context-Id {ccr.service_context_id[:64]!r} names no service with a price",
        )
    return known


def _event_at(timestamp: int | None, now: int) -> int:
    if timestamp is None:
        return now
    at = timestamp * MICROSECONDS
    return at if now - LATE_US <= at <= now + EARLY_US else now


def _subscription(ccr: CreditControlRequest, kind: int) -> str | None:
    """Give the Subscription-Id of a type, wherever it stands among the others; `+` and `00` are not part of a number."""
    for subscription in ccr.subscription_id:
        if subscription.subscription_id_type == kind:
            return subscription.subscription_id_data.lstrip("+")
    return None


def _invalid(code: int, value: int, message: str) -> DiameterError:
    return DiameterError(
        ResultCode.DIAMETER_INVALID_AVP_VALUE,
        message,
        failed_avp=encode_avp(code, (value & 0xFFFFFFFF).to_bytes(4, "big")),
    )
