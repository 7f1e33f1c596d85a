"""From a decision to the body of a Credit-Control-Answer (RFC 8506 §3.2), without the head that names who answers."""

import msgspec

from gateway.charging.decide import Decision, ItemResult
from gateway.charging.request import DATA, INITIAL, SMS, VOICE, ChargingRequest
from gateway.charging.tariff import QuotaTerms
from protocols.diameter.codec import encode_avp
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
TERMINATE = 0
"""Final-Unit-Action (RFC 8506 §8.35)."""


class _Offer(msgspec.Struct):
    """The AVPs that give quota; all None where none is given. They stand in an MSCC or at the command level."""

    granted_service_unit: GrantedServiceUnit | None = None
    validity_time: int | None = None
    final_unit_indication: FinalUnitIndication | None = None


def body(decision: Decision, request: ChargingRequest, terms: QuotaTerms) -> bytes:
    """Encode everything of the answer but Session-Id, Origin-Host, Origin-Realm and Proxy-Info."""
    offer = _Offer()
    services = []
    for result in decision.results:
        if result.item.command_level:
            offer = _offer(result, request.service, terms)
        else:
            services.append(_mscc(result, request.service, terms))
    unknown = decision.result_code == ResultCode.DIAMETER_UNKNOWN_SESSION_ID
    return encode(
        CreditControlAnswer(
            result_code=decision.result_code,
            auth_application_id=APPLICATION,
            cc_request_type=request.request_type,
            cc_request_number=request.request_number,
            cc_session_failover=FAILOVER_SUPPORTED
            if request.request_type == INITIAL and not decision.message
            else None,
            granted_service_unit=offer.granted_service_unit,
            multiple_services_credit_control=tuple(services),
            validity_time=offer.validity_time,
            final_unit_indication=offer.final_unit_indication,
            error_message=decision.message or None,
            failed_avp=(encode_avp(SESSION_ID, request.session_id.encode("latin-1")),) if unknown else (),
        )
    )


def _mscc(result: ItemResult, service: str, terms: QuotaTerms) -> MultipleServicesCreditControl:
    quota = result.quota
    offer = _offer(result, service, terms)
    left = quota.units * terms.threshold // 100 if quota is not None and not quota.final else 0
    return MultipleServicesCreditControl(
        granted_service_unit=offer.granted_service_unit,
        service_identifier=result.item.service_identifier,
        rating_group=result.item.rating_group,
        validity_time=offer.validity_time,
        result_code=result.result_code,
        final_unit_indication=offer.final_unit_indication,
        volume_quota_threshold=left if left and service == DATA else None,
        time_quota_threshold=left if left and service == VOICE else None,
        quota_holding_time=terms.quota_holding if quota is not None and service == DATA else None,
    )


def _offer(result: ItemResult, service: str, terms: QuotaTerms) -> _Offer:
    quota = result.quota
    if quota is None:
        return _Offer()
    granted = GrantedServiceUnit(
        cc_total_octets=quota.units if service == DATA else None,
        cc_time=quota.units if service == VOICE else None,
        cc_service_specific_units=quota.units if service == SMS else None,
    )
    return _Offer(granted, terms.validity, FinalUnitIndication(final_unit_action=TERMINATE) if quota.final else None)
