"""Read a Credit-Control-Request (RFC 8506 §3.1, TS 32.299 §6.4.2) into a charging request."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from gateway.charging.gy.service_information import Called, read_called, read_network
from gateway.charging.gy.sub_session import name_of
from gateway.charging.gy.subscription import (
    E164,
    IMSI,
    SUBSCRIPTION_ID,
    SUBSCRIPTION_ID_DATA,
    read_number,
    read_subscription,
)
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
    Enquiry,
    Item,
    Traffic,
    Used,
    usage_digest,
)
from gateway.charging.service_contexts import specification, standard_service
from gateway.rating.destinations import Destination, called_number, destination
from gateway.store.fitting import length_of, misfit
from gateway.store.tables import sessions
from protocols.diameter.avp_validation import missing
from protocols.diameter.codec import encode_avp, offending_avp
from protocols.diameter.dictionary import standard
from protocols.diameter.errors import DiameterError, ResultCode
from protocols.diameter.messages import (
    CREDIT_CONTROL_APPLICATION,
    CreditControlRequest,
    RequestedServiceUnit,
    UsedServiceUnit,
)

DIRECT_DEBITING, CHECK_BALANCE, PRICE_ENQUIRY = 0, 2, 3
"""Requested-Action (RFC 8506 §8.41)."""
MULTIPLE_SERVICES_SUPPORTED = 1
"""Multiple-Services-Indicator (RFC 8506 §8.40)."""
UNIT_AFTER_TARIFF_CHANGE = 1
"""Tariff-Change-Usage (RFC 8506 §8.27)."""
AUTH_APPLICATION_ID, SESSION_ID, ORIGIN_HOST, ORIGIN_REALM, SERVICE_CONTEXT_ID = 258, 263, 264, 296, 461
"""AVP codes (RFC 6733 §4.5, RFC 8506 §8)."""
LATE_US = 48 * 3600 * MICROSECONDS
EARLY_US = 300 * MICROSECONDS
"""An Event-Timestamp counts if it is at most this much before or after the request's arrival."""
MAX_UNSIGNED64 = (1 << 64) - 1
_LONGEST_SESSION_ID = length_of(sessions.c.session_id)
_LONGEST_HOST, _LONGEST_PEER = length_of(sessions.c.origin_host), length_of(sessions.c.peer)
_ENQUIRIES: Final = {CHECK_BALANCE: Enquiry.BALANCE, PRICE_ENQUIRY: Enquiry.PRICE}
_NO_UNITS: Final = RequestedServiceUnit()
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


def read(
    ccr: CreditControlRequest,
    peer: str,
    now: int,
    country: str,
    contexts: Mapping[str, str] = _NONE,
    *,
    located: bool = True,
) -> ChargingRequest:
    """Turn a decoded CCR into a charging request; DiameterError names what cannot be taken.

    `now` is the time of arrival in microseconds; an Event-Timestamp close to it decides choice, price and time of the event.
    `country` is the one whose emergency and free numbers a called number is looked up among (ISO 3166); `contexts` gives the
    service of further Service-Context-Ids, written in small letters. `located`: some plan's prices hang on the network.
    """
    _check_application(ccr)
    if not INITIAL <= ccr.cc_request_type <= EVENT:
        raise _invalid(416, ccr.cc_request_type, "CC-Request-Type is none of RFC 8506's four")
    enquiry = Enquiry.NONE
    if ccr.cc_request_type == EVENT and ccr.requested_action not in (None, DIRECT_DEBITING):
        if ccr.requested_action not in _ENQUIRIES:
            raise _invalid(436, ccr.requested_action or 0, "no event but debits and enquiries is served")
        enquiry = _ENQUIRIES[ccr.requested_action]
    _check_texts(ccr, ccr.session_id.decode("latin-1"), peer)
    service = _service(ccr, contexts)
    called, network = None, ""
    if service != DATA and ccr.service_information is not None:
        called = read_called(ccr.service_information)
    if located and (ccr.service_information is not None or ccr.avps):
        network = read_network(ccr.service_information or b"", ccr.avps)
    items = tuple(_items(ccr, service, called))
    event_at = _event_at(ccr.event_timestamp, now)
    imsi, msisdns = read_subscription(ccr, country)
    msisdn = msisdns[0] if msisdns else None
    return ChargingRequest(
        session_id=name_of(ccr.session_id, ccr.cc_sub_session_id),
        origin_host=ccr.origin_host,
        peer=peer,
        request_type=ccr.cc_request_type,
        request_number=ccr.cc_request_number,
        service=service,
        event_at=event_at,
        as_of=max(event_at, min(event_at + MICROSECONDS - 1, now)),
        imsi=imsi,
        msisdn=msisdn,
        items=items,
        digest=usage_digest(items, ccr.cc_request_type),
        inconsistent=any(map(_disagrees, _reports(ccr))),
        realm=ccr.origin_realm if ccr.origin_host != peer else "",
        traffic=None if called is None else _traffic(called, msisdns, country),
        called=_called_number(called, country),
        network=network,
        other_msisdns=msisdns[1:],
        enquiry=enquiry,
    )


def _called_number(called: Called | None, country: str) -> str:
    """Return the number that is priced: the dialled one before the one it was routed to, of a text the first recipient's."""
    if called is None or not called.recipients:
        return ""
    numbers = (called_number(address, country) for address in called.recipients[0])
    return next((number for number in numbers if misfit(number) is None and number), "")


def _check_application(ccr: CreditControlRequest) -> None:
    """Refuse a request that names another application than credit control, as its header does (RFC 8506 §3.1, RFC 6733 §6.8).

    A lenient peer may name it in Vendor-Specific-Application-Id alone; where both stand, Auth-Application-Id decides.
    """
    application = ccr.auth_application_id
    if application == CREDIT_CONTROL_APPLICATION:
        return
    if application is not None:
        raise _invalid(AUTH_APPLICATION_ID, application, "Auth-Application-Id is not 4, credit control")
    named = ccr.vendor_specific_application_id
    if named is None or named.auth_application_id != CREDIT_CONTROL_APPLICATION:
        raise missing(standard().by_name("Auth-Application-Id"))


def _traffic(called: Called, msisdns: tuple[str, ...], country: str) -> Traffic | None:
    """Return who is called: an emergency before all else, then the customer himself, then a number that is free to call.

    None where nobody is named: that the customer calls says nothing of whom.
    """
    least = min(
        (max(destination(address, country) for address in addresses) for addresses in called.recipients),
        default=Destination.ORDINARY,
    )
    if called.emergency or least is Destination.EMERGENCY:
        return Traffic.EMERGENCY
    if called.incoming or (called.incoming is None and _calls_one_of(called, msisdns, country)):
        return Traffic.INCOMING
    if least is Destination.FREE:
        return Traffic.FREE
    return Traffic.OUTGOING if called.recipients else None


def _calls_one_of(called: Called, msisdns: tuple[str, ...], country: str) -> bool:
    """Return whether one of the customer's own numbers is called, in whichever form it is written."""
    addresses = (address for each in called.recipients for address in each) if msisdns else ()
    return any(read_number(address, country) in msisdns for address in addresses)


def _check_texts(ccr: CreditControlRequest, session_id: str, peer: str) -> None:
    """Refuse a text that the store can't hold, or can't look for: its whole batch would fail with it.

    A Session-Id without a character would make one session of all that a host has (RFC 6733 §8.8).
    """
    numbers = [subscription.subscription_id_data for subscription in ccr.subscription_id]
    everything = "".join((session_id, ccr.origin_host, peer, ccr.origin_realm, *numbers))
    named = session_id and ccr.origin_host
    if named and len(everything) <= _LONGEST_HOST and everything.isascii() and "\0" not in everything:
        return  # as nearly always
    for code, text, most in (
        (SESSION_ID, session_id, _LONGEST_SESSION_ID),
        (ORIGIN_HOST, ccr.origin_host, _LONGEST_HOST),
        (ORIGIN_HOST, peer, _LONGEST_PEER),
        (ORIGIN_REALM, ccr.origin_realm, _LONGEST_HOST),
    ):
        why = misfit(text, most) or ("is empty" if not text and code != ORIGIN_REALM else None)
        if why is not None:
            octets = text.encode("latin-1" if code == SESSION_ID else "utf-8")
            message = f"AVP {code} {why}"
            raise DiameterError(ResultCode.DIAMETER_INVALID_AVP_VALUE, message, offending_avp(code, octets))
    for subscription in ccr.subscription_id:
        data = subscription.subscription_id_data
        why = misfit(data) if subscription.subscription_id_type in (E164, IMSI) else None
        if why is not None:
            offending = encode_avp(SUBSCRIPTION_ID, offending_avp(SUBSCRIPTION_ID_DATA, data.encode()))
            raise DiameterError(ResultCode.DIAMETER_INVALID_AVP_VALUE, f"Subscription-Id-Data {why}", offending)


def _items(ccr: CreditControlRequest, service: str, called: Called | None) -> Iterable[Item]:
    services = ccr.multiple_services_credit_control
    for mscc in services:
        used = _all_used(mscc.used_service_unit, service)
        # At the start, an MSCC that says nothing asks for its rating group to be authorised.
        says_nothing = ccr.cc_request_type in (INITIAL, EVENT) and not used
        wanted, unpriced = _wanted(ccr, mscc.requested_service_unit, service, implied=says_nothing)
        if wanted == 0 and not unpriced and ccr.cc_request_type == EVENT:
            wanted, unpriced = _event(service, called if len(services) == 1 else None)
        if ccr.cc_request_type == EVENT and wanted and used:
            wanted, used = _once(wanted, used, service), ()
        yield Item(mscc.rating_group, mscc.service_identifier, used, wanted, unpriced=unpriced)
    implied = not services and _is_for_one_service(ccr, service)
    if ccr.requested_service_unit is not None or ccr.used_service_unit or implied:
        identifier = () if ccr.service_identifier is None else (ccr.service_identifier,)
        used = _all_used(ccr.used_service_unit, service)
        wanted, unpriced = _wanted(ccr, ccr.requested_service_unit, service, implied=implied)
        if wanted == 0 and not unpriced and ccr.cc_request_type == EVENT:
            wanted, unpriced = _event(service, called)
        if ccr.cc_request_type == EVENT and wanted and used:
            wanted, used = _once(wanted, used, service), ()
        yield Item(None, identifier, used, wanted, command_level=True, unpriced=unpriced)


def _is_for_one_service(ccr: CreditControlRequest, service: str) -> bool:
    """Return whether a request without rating groups is for one service, of which the server says how much (RFC 8506 §5.2).

    Such a session goes on until it is ended, whether or not it asks for units. A data session may begin without any, and ask
    for its rating groups once there is traffic.
    """
    if ccr.cc_request_type == EVENT:
        return not ccr.used_service_unit
    if ccr.cc_request_type == TERMINATION:
        return False
    several = ccr.multiple_services_indicator == MULTIPLE_SERVICES_SUPPORTED
    return ccr.service_identifier is not None or (service != DATA and not several)


def _wanted(
    ccr: CreditControlRequest, unit: RequestedServiceUnit | None, service: str, *, implied: bool
) -> tuple[int | None, bool]:
    """Return how much quota is wanted, and whether in units without a price; `implied`: some is, though no unit is named."""
    if ccr.cc_request_type == TERMINATION or (unit is None and not implied):
        return None, False
    if unit is None:
        return 0, False
    if service == DATA:
        value = unit.cc_total_octets or max(unit.cc_input_octets or 0, unit.cc_output_octets or 0)
    else:
        value = (unit.cc_time if service == VOICE else unit.cc_service_specific_units) or 0
    if value:
        return min(value, MAX_OCTETS), False
    if unit == _NO_UNITS:
        return 0, False  # as most clients ask
    priced, others = _named(unit, service)
    return 0, bool(others) and not priced


def _event(service: str, called: Called | None) -> tuple[int, bool]:
    """Return how much a one-time event is of that does not say so: texts are counted; of octets and seconds nobody knows."""
    return (called.messages if called is not None else 1, False) if service == SMS else (0, True)


def _once(wanted: int, used: Iterable[Used], service: str) -> int:
    """Return how much an event is of that says it twice, as what is requested and as what was used: it is debited once."""
    return max(wanted, min(sum(each.quantity(service) for each in used), MAX_OCTETS))


def _named(unit: RequestedServiceUnit | UsedServiceUnit, service: str) -> tuple[list[object], list[object]]:
    """Return the amounts of a unit that the service is priced by, and the others, as far as they are named."""
    octets = (unit.cc_total_octets, unit.cc_input_octets, unit.cc_output_octets)
    seconds, units = (unit.cc_time,), (unit.cc_service_specific_units,)
    by_service = {DATA: octets, VOICE: seconds, SMS: units}
    priced: list[object] = [amount for amount in by_service.pop(service) if amount is not None]
    others: list[object] = [amount for amounts in by_service.values() for amount in amounts if amount is not None]
    return priced, others if unit.cc_money is None else [*others, unit.cc_money]


def _all_used(units: Iterable[UsedServiceUnit], service: str) -> tuple[Used, ...]:
    """Read what one item reports; units without a price are no use of their own beside others, as some clients write them."""
    used = tuple(_used(unit, service) for unit in units)
    if len(used) < 2 or all(each.unpriced for each in used):
        return used  # as nearly always
    return tuple(msgspec.structs.replace(each, unpriced=False) for each in used)


def _used(unit: UsedServiceUnit, service: str) -> Used:
    directions = (unit.cc_input_octets or 0) + (unit.cc_output_octets or 0)
    total = unit.cc_total_octets
    octets = min(directions if total is None or _disagrees(unit) else total, MAX_UNSIGNED64)
    after = unit.tariff_change_usage == UNIT_AFTER_TARIFF_CHANGE
    used = Used(octets, unit.cc_time or 0, unit.cc_service_specific_units or 0, after_change=after)
    if used.quantity(service):
        return used  # as nearly always
    priced, others = _named(unit, service)
    return Used(octets, used.seconds, used.units, unpriced=any(others) and not priced, after_change=after)


def _disagrees(unit: UsedServiceUnit) -> bool:
    """Return a total that is not the sum of both directions, or less than the one that is given beside it."""
    total, into, out = unit.cc_total_octets, unit.cc_input_octets, unit.cc_output_octets
    if total is None or (into is None and out is None):
        return False
    directions = (into or 0) + (out or 0)
    return total < directions if into is None or out is None else total != directions


def _reports(ccr: CreditControlRequest) -> Iterable[UsedServiceUnit]:
    yield from ccr.used_service_unit
    for mscc in ccr.multiple_services_credit_control:
        yield from mscc.used_service_unit


def _service(ccr: CreditControlRequest, contexts: Mapping[str, str]) -> str:
    name = ccr.service_context_id
    known = (contexts.get(name.lower()) if contexts else None) or standard_service(name)
    if known is None and contexts and (number := specification(name)):
        known = contexts.get(f"{number}@3gpp.org")  # whatever country, network and release stand before it
    if known is None:
        raise DiameterError(
            ResultCode.DIAMETER_RATING_FAILED,
            f"Service-Context-Id {name[:64]!r} names no service with a price; charging.service_contexts may say which it is",
            offending_avp(SERVICE_CONTEXT_ID, name.encode()),
        )
    return known


def _event_at(timestamp: int | None, now: int) -> int:
    if timestamp is None:
        return now
    at = timestamp * MICROSECONDS
    return at if now - LATE_US <= at <= now + EARLY_US else now


def _invalid(code: int, value: int, message: str) -> DiameterError:
    return DiameterError(
        ResultCode.DIAMETER_INVALID_AVP_VALUE,
        message,
        failed_avp=encode_avp(code, (value & 0xFFFFFFFF).to_bytes(4, "big")),
    )
