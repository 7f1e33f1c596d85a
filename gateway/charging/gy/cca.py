"""Render an outcome as the body of a Credit-Control-Answer (RFC 8506 §3.2), without the head that names who answers.

The same outcome gives the same octets in every version: a repeat is rendered anew.
"""

from functools import lru_cache
from types import MappingProxyType
from typing import Final

import msgspec

from gateway.charging.outcome import (
    ChangingOutcome,
    EnquiryOutcome,
    ItemOutcome,
    Outcome,
    RenderedAnswer,
    RequestOutcome,
)
from gateway.charging.request import DATA, INITIAL, MICROSECONDS, SMS, VOICE
from protocols.diameter.codec import AVP_FLAG_MANDATORY, Avp, encode_avp
from protocols.diameter.errors import ResultCode
from protocols.diameter.generated import encode
from protocols.diameter.messages import (
    CreditControlAnswer,
    FinalUnitIndication,
    GrantedServiceUnit,
    MultipleServicesCreditControl,
)

APPLICATION = 4
"""Diameter Credit-Control (RFC 8506 §1.3)."""
SESSION_ID = 263
FAILOVER_SUPPORTED = 1
"""CC-Session-Failover (RFC 8506 §8.4): another gateway on the same store can go on with the session."""
MAX_UNSIGNED32: Final = (1 << 32) - 1
"""The most that a threshold can say (TS 32.299 §7.2): one-time events may be of more than `config check` lets a slice be."""
CHECK_BALANCE_RESULT, COST_INFORMATION, CURRENCY_CODE, EXPONENT, UNIT_VALUE, VALUE_DIGITS = 422, 423, 425, 429, 445, 447
"""AVP codes (RFC 8506 §8)."""
ENOUGH_CREDIT, NO_CREDIT = 0, 1
"""Check-Balance-Result (RFC 8506 §8.6)."""
CURRENCY_NUMBERS: Final = {"EUR": 978, "GBP": 826, "USD": 840}
NO_CURRENCY: Final = 999
"""ISO 4217: the numbers of the currencies that we bill in, and that of none."""
TERMINATE = 0
"""Final-Unit-Action (RFC 8506 §8.35)."""


RESULT_CODES: Final = MappingProxyType(
    {
        Outcome.SUCCESS: ResultCode.DIAMETER_SUCCESS,
        Outcome.UNKNOWN_SESSION: ResultCode.DIAMETER_UNKNOWN_SESSION_ID,
        Outcome.UNKNOWN_SUBSCRIBER: ResultCode.DIAMETER_USER_UNKNOWN,
        Outcome.SERVICE_DENIED: ResultCode.DIAMETER_END_USER_SERVICE_DENIED,
        Outcome.CREDIT_LIMIT_REACHED: ResultCode.DIAMETER_CREDIT_LIMIT_REACHED,
        Outcome.RATING_FAILED: ResultCode.DIAMETER_RATING_FAILED,
    }
)
"""Result-Code of each outcome, at the command level and in an MSCC (RFC 6733 §7.1, RFC 8506 §9)."""
_NUMBER_AT: Final = 44
"""Where CC-Request-Number has its value: behind Result-Code, Auth-Application-Id and CC-Request-Type, each of 12 octets."""
_KEPT: Final = 1024
"""Answers that are kept rendered, of half a kilobyte each."""


class _Offer(msgspec.Struct):
    """The AVPs that give quota; all None where none is given. They stand in an MSCC or at the command level."""

    granted_service_unit: GrantedServiceUnit | None = None
    validity_time: int | None = None
    final_unit_indication: FinalUnitIndication | None = None


def body(outcome: RequestOutcome | ChangingOutcome | EnquiryOutcome | RenderedAnswer, session_id: bytes) -> bytes:
    """Encode everything of the answer but Session-Id, Origin-Host, Origin-Realm and Proxy-Info; `session_id` as it came."""
    if isinstance(outcome, RenderedAnswer):
        return outcome.body
    if outcome.message or outcome.code is Outcome.UNKNOWN_SESSION:
        return _render(outcome, session_id)
    # Most answers differ by the number of their request alone: the same slice of the same rating group.
    before, after = _kept(msgspec.structs.replace(outcome, request_number=0))
    return before + outcome.request_number.to_bytes(4, "big") + after


@lru_cache(_KEPT)
def _kept(outcome: RequestOutcome) -> tuple[bytes, bytes]:
    """Render what stands before and behind the request's number."""
    rendered = _render(outcome, b"")
    return rendered[:_NUMBER_AT], rendered[_NUMBER_AT + 4 :]


def _render(outcome: RequestOutcome, session_id: bytes) -> bytes:
    offer = _Offer()
    services = []
    for item in outcome.items:
        if item.command_level:
            offer = _offer(item, outcome)
        else:
            services.append(_mscc(item, outcome))
    begun = outcome.request_type == INITIAL and not outcome.message
    unknown = outcome.code is Outcome.UNKNOWN_SESSION
    return encode(
        CreditControlAnswer(
            result_code=RESULT_CODES[outcome.code],
            auth_application_id=APPLICATION,
            cc_request_type=outcome.request_type,
            cc_request_number=outcome.request_number,
            cc_session_failover=FAILOVER_SUPPORTED if begun else None,
            granted_service_unit=offer.granted_service_unit,
            multiple_services_credit_control=tuple(services),
            validity_time=offer.validity_time,
            final_unit_indication=offer.final_unit_indication,
            error_message=outcome.message or None,
            failed_avp=(encode_avp(SESSION_ID, session_id),) if unknown else (),
            avps=_enquired(outcome) if isinstance(outcome, EnquiryOutcome) else (),
        )
    )


def _enquired(outcome: EnquiryOutcome) -> tuple[Avp, ...]:
    """Answer an enquiry: Check-Balance-Result (RFC 8506 §8.6) or Cost-Information (§8.7)."""
    if outcome.enough is not None:
        result = ENOUGH_CREDIT if outcome.enough else NO_CREDIT
        return (Avp(CHECK_BALANCE_RESULT, 0, AVP_FLAG_MANDATORY, result.to_bytes(4, "big")),)
    if outcome.cost is None:
        return ()
    digits = encode_avp(VALUE_DIGITS, outcome.cost.to_bytes(8, "big", signed=True))
    value = encode_avp(UNIT_VALUE, digits + encode_avp(EXPONENT, (-6).to_bytes(4, "big", signed=True)))
    number = CURRENCY_NUMBERS.get(outcome.currency, NO_CURRENCY)
    cost = value + encode_avp(CURRENCY_CODE, number.to_bytes(4, "big"))
    return (Avp(COST_INFORMATION, 0, AVP_FLAG_MANDATORY, cost),)


def _mscc(item: ItemOutcome, outcome: RequestOutcome) -> MultipleServicesCreditControl:
    service, granted = outcome.service, item.granted
    offer = _offer(item, outcome)
    left = 0 if granted is None or item.final else min(granted * outcome.threshold // 100, MAX_UNSIGNED32)
    return MultipleServicesCreditControl(
        granted_service_unit=offer.granted_service_unit,
        service_identifier=item.service_identifier,
        rating_group=item.rating_group,
        validity_time=offer.validity_time,
        result_code=RESULT_CODES[item.code],
        final_unit_indication=offer.final_unit_indication,
        volume_quota_threshold=left if left and service == DATA else None,
        time_quota_threshold=left if left and service == VOICE else None,
        quota_holding_time=outcome.quota_holding if granted is not None and service == DATA else None,
    )


def _offer(item: ItemOutcome, outcome: RequestOutcome) -> _Offer:
    service, units = outcome.service, item.granted
    if units is None:
        return _Offer()
    change = outcome.tariff_change // MICROSECONDS if isinstance(outcome, ChangingOutcome) else None
    granted = GrantedServiceUnit(
        tariff_time_change=change,
        cc_total_octets=units if service == DATA else None,
        cc_time=units if service == VOICE else None,
        cc_service_specific_units=units if service == SMS else None,
    )
    final = FinalUnitIndication(final_unit_action=TERMINATE) if item.final else None
    return _Offer(granted, outcome.validity, final)
