"""The messages and groups that we understand, each written like the table of its specification.

A class lists the AVPs of a message's body (no header) in the order in which they are sent. The Python type says
what a value is: bytes for raw octets, str for text, int for every number and for Time (Unix seconds, UTC), a class
for a group, a tuple for what may occur again, `| None` for what may be absent. A field that equals its default is
not sent. `avps` holds, and sends last, every AVP that is no field of its class.

A required field whose default is empty (`= b""`, `= 0`) must be there when a message comes in, and can still be
left out of one that we write in pieces.
"""

from typing import Annotated, ClassVar, Final

import msgspec

from protocols.diameter.codec import Avp
from protocols.diameter.fields import AvpField

RELAY_APPLICATION: Final = 0xFFFFFFFF
"""Application-Id by which a relay says that it forwards every application (RFC 6733 §2.4)."""
CREDIT_CONTROL_APPLICATION: Final = 4
"""Application-Id of credit control (RFC 8506 §1.3)."""


class Group(msgspec.Struct, frozen=True, gc=False):
    """The AVPs inside a Grouped AVP."""


class Command(msgspec.Struct, frozen=True, gc=False):
    """The body of a command; `request` tells a request from its answer, which has the same code."""

    command_code: ClassVar[int] = 0
    request: ClassVar[bool] = False


class VendorSpecificApplicationId(Group, frozen=True, gc=False):
    """An application of a vendor (RFC 6733 §6.11)."""

    vendor_id: Annotated[int | None, AvpField("Vendor-Id")] = None
    auth_application_id: Annotated[int | None, AvpField("Auth-Application-Id")] = None
    acct_application_id: Annotated[int | None, AvpField("Acct-Application-Id")] = None
    avps: tuple[Avp, ...] = ()


class SubscriptionId(Group, frozen=True, gc=False):
    """One name of the customer: MSISDN, IMSI... (RFC 8506 §8.46)."""

    subscription_id_type: Annotated[int, AvpField("Subscription-Id-Type", required=True)]
    subscription_id_data: Annotated[str, AvpField("Subscription-Id-Data", required=True)]
    avps: tuple[Avp, ...] = ()


class SubscriptionIdExtension(Group, frozen=True, gc=False):
    """One name of the customer, where a type has an AVP of its own (RFC 8506 §8.58)."""

    subscription_id_e164: Annotated[str | None, AvpField("Subscription-Id-E164")] = None
    subscription_id_imsi: Annotated[str | None, AvpField("Subscription-Id-IMSI")] = None
    subscription_id_sip_uri: Annotated[str | None, AvpField("Subscription-Id-SIP-URI")] = None
    subscription_id_nai: Annotated[str | None, AvpField("Subscription-Id-NAI")] = None
    subscription_id_private: Annotated[str | None, AvpField("Subscription-Id-Private")] = None
    avps: tuple[Avp, ...] = ()


class UserEquipmentInfo(Group, frozen=True, gc=False):
    """The customer's device (RFC 8506 §8.49)."""

    user_equipment_info_type: Annotated[int, AvpField("User-Equipment-Info-Type", required=True)]
    user_equipment_info_value: Annotated[bytes, AvpField("User-Equipment-Info-Value", required=True)]
    avps: tuple[Avp, ...] = ()


class RedirectServer(Group, frozen=True, gc=False):
    """Where a customer without credit is sent (RFC 8506 §8.37)."""

    redirect_address_type: Annotated[int, AvpField("Redirect-Address-Type", required=True)]
    redirect_server_address: Annotated[str, AvpField("Redirect-Server-Address", required=True)]
    avps: tuple[Avp, ...] = ()


class FinalUnitIndication(Group, frozen=True, gc=False):
    """This grant is the last one, and what to do at its end (RFC 8506 §8.34)."""

    final_unit_action: Annotated[int, AvpField("Final-Unit-Action", required=True)]
    restriction_filter_rule: Annotated[tuple[str, ...], AvpField("Restriction-Filter-Rule")] = ()
    filter_id: Annotated[tuple[str, ...], AvpField("Filter-Id")] = ()
    redirect_server: Annotated[RedirectServer | None, AvpField("Redirect-Server")] = None
    avps: tuple[Avp, ...] = ()


class GrantedServiceUnit(Group, frozen=True, gc=False):
    """What the customer may use: octets, seconds or units (RFC 8506 §8.17)."""

    tariff_time_change: Annotated[int | None, AvpField("Tariff-Time-Change")] = None
    cc_time: Annotated[int | None, AvpField("CC-Time")] = None
    cc_total_octets: Annotated[int | None, AvpField("CC-Total-Octets")] = None
    cc_input_octets: Annotated[int | None, AvpField("CC-Input-Octets")] = None
    cc_output_octets: Annotated[int | None, AvpField("CC-Output-Octets")] = None
    cc_service_specific_units: Annotated[int | None, AvpField("CC-Service-Specific-Units")] = None
    avps: tuple[Avp, ...] = ()


class RequestedServiceUnit(Group, frozen=True, gc=False):
    """What the client asks for; empty where the server is to decide (RFC 8506 §8.18)."""

    cc_time: Annotated[int | None, AvpField("CC-Time")] = None
    cc_money: Annotated[bytes | None, AvpField("CC-Money", walked=True)] = None
    cc_total_octets: Annotated[int | None, AvpField("CC-Total-Octets")] = None
    cc_input_octets: Annotated[int | None, AvpField("CC-Input-Octets")] = None
    cc_output_octets: Annotated[int | None, AvpField("CC-Output-Octets")] = None
    cc_service_specific_units: Annotated[int | None, AvpField("CC-Service-Specific-Units")] = None
    avps: tuple[Avp, ...] = ()


class UsedServiceUnit(Group, frozen=True, gc=False):
    """What was used since the last report (RFC 8506 §8.19, TS 32.299 §7.2.175)."""

    reporting_reason: Annotated[tuple[int, ...], AvpField("Reporting-Reason")] = ()
    tariff_change_usage: Annotated[int | None, AvpField("Tariff-Change-Usage")] = None
    cc_time: Annotated[int | None, AvpField("CC-Time")] = None
    cc_money: Annotated[bytes | None, AvpField("CC-Money", walked=True)] = None
    cc_total_octets: Annotated[int | None, AvpField("CC-Total-Octets")] = None
    cc_input_octets: Annotated[int | None, AvpField("CC-Input-Octets")] = None
    cc_output_octets: Annotated[int | None, AvpField("CC-Output-Octets")] = None
    cc_service_specific_units: Annotated[int | None, AvpField("CC-Service-Specific-Units")] = None
    avps: tuple[Avp, ...] = ()


class MultipleServicesCreditControl(Group, frozen=True, gc=False):
    """Quota asked for, granted and used of one rating group (RFC 8506 §8.16, TS 32.299 §7.2.125)."""

    granted_service_unit: Annotated[GrantedServiceUnit | None, AvpField("Granted-Service-Unit")] = None
    requested_service_unit: Annotated[RequestedServiceUnit | None, AvpField("Requested-Service-Unit")] = None
    used_service_unit: Annotated[tuple[UsedServiceUnit, ...], AvpField("Used-Service-Unit")] = ()
    tariff_change_usage: Annotated[int | None, AvpField("Tariff-Change-Usage")] = None
    service_identifier: Annotated[tuple[int, ...], AvpField("Service-Identifier")] = ()
    rating_group: Annotated[int | None, AvpField("Rating-Group")] = None
    validity_time: Annotated[int | None, AvpField("Validity-Time")] = None
    result_code: Annotated[int | None, AvpField("Result-Code")] = None
    final_unit_indication: Annotated[FinalUnitIndication | None, AvpField("Final-Unit-Indication")] = None
    time_quota_threshold: Annotated[int | None, AvpField("Time-Quota-Threshold")] = None
    volume_quota_threshold: Annotated[int | None, AvpField("Volume-Quota-Threshold")] = None
    unit_quota_threshold: Annotated[int | None, AvpField("Unit-Quota-Threshold")] = None
    quota_holding_time: Annotated[int | None, AvpField("Quota-Holding-Time")] = None
    quota_consumption_time: Annotated[int | None, AvpField("Quota-Consumption-Time")] = None
    reporting_reason: Annotated[tuple[int, ...], AvpField("Reporting-Reason")] = ()
    avps: tuple[Avp, ...] = ()


class CapabilitiesExchangeRequest(Command, frozen=True, gc=False):
    """CER: who we are and which applications we speak (RFC 6733 §5.3.1)."""

    command_code: ClassVar[int] = 257
    request: ClassVar[bool] = True

    origin_host: Annotated[str, AvpField("Origin-Host", required=True)]
    origin_realm: Annotated[str, AvpField("Origin-Realm", required=True)]
    host_ip_address: Annotated[tuple[bytes, ...], AvpField("Host-IP-Address", required=True)]
    vendor_id: Annotated[int, AvpField("Vendor-Id", required=True)]
    product_name: Annotated[str, AvpField("Product-Name", required=True)]
    origin_state_id: Annotated[int | None, AvpField("Origin-State-Id")] = None
    supported_vendor_id: Annotated[tuple[int, ...], AvpField("Supported-Vendor-Id")] = ()
    auth_application_id: Annotated[tuple[int, ...], AvpField("Auth-Application-Id")] = ()
    inband_security_id: Annotated[tuple[int, ...], AvpField("Inband-Security-Id")] = ()
    acct_application_id: Annotated[tuple[int, ...], AvpField("Acct-Application-Id")] = ()
    vendor_specific_application_id: Annotated[
        tuple[VendorSpecificApplicationId, ...], AvpField("Vendor-Specific-Application-Id")
    ] = ()
    firmware_revision: Annotated[int | None, AvpField("Firmware-Revision")] = None
    avps: tuple[Avp, ...] = ()


class CapabilitiesExchangeAnswer(Command, frozen=True, gc=False):
    """CEA (RFC 6733 §5.3.2). Peers that refuse us leave out all but the result: no more is required here."""

    command_code: ClassVar[int] = 257

    result_code: Annotated[int, AvpField("Result-Code", required=True)]
    origin_host: Annotated[str, AvpField("Origin-Host", required=True)]
    origin_realm: Annotated[str, AvpField("Origin-Realm", required=True)]
    host_ip_address: Annotated[tuple[bytes, ...], AvpField("Host-IP-Address")] = ()
    vendor_id: Annotated[int | None, AvpField("Vendor-Id")] = None
    product_name: Annotated[str | None, AvpField("Product-Name")] = None
    origin_state_id: Annotated[int | None, AvpField("Origin-State-Id")] = None
    error_message: Annotated[str | None, AvpField("Error-Message")] = None
    failed_avp: Annotated[tuple[bytes, ...], AvpField("Failed-AVP")] = ()
    supported_vendor_id: Annotated[tuple[int, ...], AvpField("Supported-Vendor-Id")] = ()
    auth_application_id: Annotated[tuple[int, ...], AvpField("Auth-Application-Id")] = ()
    inband_security_id: Annotated[tuple[int, ...], AvpField("Inband-Security-Id")] = ()
    acct_application_id: Annotated[tuple[int, ...], AvpField("Acct-Application-Id")] = ()
    vendor_specific_application_id: Annotated[
        tuple[VendorSpecificApplicationId, ...], AvpField("Vendor-Specific-Application-Id")
    ] = ()
    firmware_revision: Annotated[int | None, AvpField("Firmware-Revision")] = None
    avps: tuple[Avp, ...] = ()


class DeviceWatchdogRequest(Command, frozen=True, gc=False):
    """DWR: are you there? (RFC 6733 §5.5.1)"""

    command_code: ClassVar[int] = 280
    request: ClassVar[bool] = True

    origin_host: Annotated[str, AvpField("Origin-Host", required=True)]
    origin_realm: Annotated[str, AvpField("Origin-Realm", required=True)]
    origin_state_id: Annotated[int | None, AvpField("Origin-State-Id")] = None
    avps: tuple[Avp, ...] = ()


class DeviceWatchdogAnswer(Command, frozen=True, gc=False):
    """DWA (RFC 6733 §5.5.2)."""

    command_code: ClassVar[int] = 280

    result_code: Annotated[int, AvpField("Result-Code", required=True)]
    origin_host: Annotated[str, AvpField("Origin-Host", required=True)]
    origin_realm: Annotated[str, AvpField("Origin-Realm", required=True)]
    error_message: Annotated[str | None, AvpField("Error-Message")] = None
    failed_avp: Annotated[tuple[bytes, ...], AvpField("Failed-AVP")] = ()
    origin_state_id: Annotated[int | None, AvpField("Origin-State-Id")] = None
    avps: tuple[Avp, ...] = ()


class DisconnectPeerRequest(Command, frozen=True, gc=False):
    """DPR: I am about to leave, and why (RFC 6733 §5.4.1)."""

    command_code: ClassVar[int] = 282
    request: ClassVar[bool] = True

    origin_host: Annotated[str, AvpField("Origin-Host", required=True)]
    origin_realm: Annotated[str, AvpField("Origin-Realm", required=True)]
    disconnect_cause: Annotated[int, AvpField("Disconnect-Cause", required=True)]
    avps: tuple[Avp, ...] = ()


class DisconnectPeerAnswer(Command, frozen=True, gc=False):
    """DPA (RFC 6733 §5.4.2)."""

    command_code: ClassVar[int] = 282

    result_code: Annotated[int, AvpField("Result-Code", required=True)]
    origin_host: Annotated[str, AvpField("Origin-Host", required=True)]
    origin_realm: Annotated[str, AvpField("Origin-Realm", required=True)]
    error_message: Annotated[str | None, AvpField("Error-Message")] = None
    failed_avp: Annotated[tuple[bytes, ...], AvpField("Failed-AVP")] = ()
    avps: tuple[Avp, ...] = ()


class CreditControlRequest(Command, frozen=True, gc=False):
    """CCR: a session begins, reports, ends; or one event (RFC 8506 §3.1, TS 32.299 §6.4.2)."""

    command_code: ClassVar[int] = 272
    request: ClassVar[bool] = True

    session_id: Annotated[bytes, AvpField("Session-Id", required=True)]
    origin_host: Annotated[str, AvpField("Origin-Host", required=True)]
    origin_realm: Annotated[str, AvpField("Origin-Realm", required=True)]
    destination_realm: Annotated[str, AvpField("Destination-Realm", required=True)]
    auth_application_id: Annotated[int | None, AvpField("Auth-Application-Id", required=True, waived=True)]
    service_context_id: Annotated[str, AvpField("Service-Context-Id", required=True)]
    cc_request_type: Annotated[int, AvpField("CC-Request-Type", required=True)]
    cc_request_number: Annotated[int, AvpField("CC-Request-Number", required=True)]
    vendor_specific_application_id: Annotated[
        VendorSpecificApplicationId | None, AvpField("Vendor-Specific-Application-Id")
    ] = None
    destination_host: Annotated[str | None, AvpField("Destination-Host")] = None
    user_name: Annotated[str | None, AvpField("User-Name")] = None
    cc_sub_session_id: Annotated[int | None, AvpField("CC-Sub-Session-Id")] = None
    origin_state_id: Annotated[int | None, AvpField("Origin-State-Id")] = None
    event_timestamp: Annotated[int | None, AvpField("Event-Timestamp")] = None
    subscription_id: Annotated[tuple[SubscriptionId, ...], AvpField("Subscription-Id")] = ()
    subscription_id_extension: Annotated[
        tuple[SubscriptionIdExtension, ...], AvpField("Subscription-Id-Extension")
    ] = ()
    service_identifier: Annotated[int | None, AvpField("Service-Identifier")] = None
    termination_cause: Annotated[int | None, AvpField("Termination-Cause")] = None
    requested_service_unit: Annotated[RequestedServiceUnit | None, AvpField("Requested-Service-Unit")] = None
    requested_action: Annotated[int | None, AvpField("Requested-Action")] = None
    used_service_unit: Annotated[tuple[UsedServiceUnit, ...], AvpField("Used-Service-Unit")] = ()
    multiple_services_indicator: Annotated[int | None, AvpField("Multiple-Services-Indicator")] = None
    multiple_services_credit_control: Annotated[
        tuple[MultipleServicesCreditControl, ...], AvpField("Multiple-Services-Credit-Control")
    ] = ()
    user_equipment_info: Annotated[UserEquipmentInfo | None, AvpField("User-Equipment-Info")] = None
    proxy_info: Annotated[tuple[bytes, ...], AvpField("Proxy-Info")] = ()
    route_record: Annotated[tuple[str, ...], AvpField("Route-Record")] = ()
    service_information: Annotated[bytes | None, AvpField("Service-Information", walked=True)] = None
    avps: tuple[Avp, ...] = ()


class CreditControlAnswer(Command, frozen=True, gc=False):
    """CCA (RFC 8506 §3.2).

    An answer that refuses may leave out the application and the request's type and number: they are not required.
    """

    command_code: ClassVar[int] = 272

    session_id: Annotated[bytes, AvpField("Session-Id", required=True)] = b""
    origin_host: Annotated[str, AvpField("Origin-Host", required=True)] = ""
    origin_realm: Annotated[str, AvpField("Origin-Realm", required=True)] = ""
    result_code: Annotated[int, AvpField("Result-Code", required=True)] = 0
    auth_application_id: Annotated[int | None, AvpField("Auth-Application-Id")] = None
    cc_request_type: Annotated[int | None, AvpField("CC-Request-Type")] = None
    cc_request_number: Annotated[int | None, AvpField("CC-Request-Number")] = None
    cc_session_failover: Annotated[int | None, AvpField("CC-Session-Failover")] = None
    granted_service_unit: Annotated[GrantedServiceUnit | None, AvpField("Granted-Service-Unit")] = None
    multiple_services_credit_control: Annotated[
        tuple[MultipleServicesCreditControl, ...], AvpField("Multiple-Services-Credit-Control")
    ] = ()
    validity_time: Annotated[int | None, AvpField("Validity-Time")] = None
    final_unit_indication: Annotated[FinalUnitIndication | None, AvpField("Final-Unit-Indication")] = None
    credit_control_failure_handling: Annotated[int | None, AvpField("Credit-Control-Failure-Handling")] = None
    error_message: Annotated[str | None, AvpField("Error-Message")] = None
    failed_avp: Annotated[tuple[bytes, ...], AvpField("Failed-AVP")] = ()
    route_record: Annotated[tuple[str, ...], AvpField("Route-Record")] = ()
    proxy_info: Annotated[tuple[bytes, ...], AvpField("Proxy-Info")] = ()
    avps: tuple[Avp, ...] = ()


class ReAuthRequest(Command, frozen=True, gc=False):
    """RAR: the server wants a report now (RFC 6733 §8.3.1, RFC 8506 §5.5)."""

    command_code: ClassVar[int] = 258
    request: ClassVar[bool] = True

    session_id: Annotated[bytes, AvpField("Session-Id", required=True)]
    origin_host: Annotated[str, AvpField("Origin-Host", required=True)]
    origin_realm: Annotated[str, AvpField("Origin-Realm", required=True)]
    destination_realm: Annotated[str, AvpField("Destination-Realm", required=True)]
    destination_host: Annotated[str, AvpField("Destination-Host", required=True)]
    auth_application_id: Annotated[int, AvpField("Auth-Application-Id", required=True)]
    re_auth_request_type: Annotated[int, AvpField("Re-Auth-Request-Type", required=True)]
    cc_sub_session_id: Annotated[int | None, AvpField("CC-Sub-Session-Id")] = None
    service_identifier: Annotated[int | None, AvpField("Service-Identifier")] = None
    rating_group: Annotated[int | None, AvpField("Rating-Group")] = None
    user_name: Annotated[str | None, AvpField("User-Name")] = None
    origin_state_id: Annotated[int | None, AvpField("Origin-State-Id")] = None
    proxy_info: Annotated[tuple[bytes, ...], AvpField("Proxy-Info")] = ()
    route_record: Annotated[tuple[str, ...], AvpField("Route-Record")] = ()
    avps: tuple[Avp, ...] = ()


class ReAuthAnswer(Command, frozen=True, gc=False):
    """RAA (RFC 6733 §8.3.2)."""

    command_code: ClassVar[int] = 258

    session_id: Annotated[bytes, AvpField("Session-Id", required=True)]
    result_code: Annotated[int, AvpField("Result-Code", required=True)]
    origin_host: Annotated[str, AvpField("Origin-Host", required=True)]
    origin_realm: Annotated[str, AvpField("Origin-Realm", required=True)]
    user_name: Annotated[str | None, AvpField("User-Name")] = None
    origin_state_id: Annotated[int | None, AvpField("Origin-State-Id")] = None
    error_message: Annotated[str | None, AvpField("Error-Message")] = None
    error_reporting_host: Annotated[str | None, AvpField("Error-Reporting-Host")] = None
    failed_avp: Annotated[tuple[bytes, ...], AvpField("Failed-AVP")] = ()
    proxy_info: Annotated[tuple[bytes, ...], AvpField("Proxy-Info")] = ()
    avps: tuple[Avp, ...] = ()


class AbortSessionRequest(Command, frozen=True, gc=False):
    """ASR: the server ends the session (RFC 6733 §8.5.1)."""

    command_code: ClassVar[int] = 274
    request: ClassVar[bool] = True

    session_id: Annotated[bytes, AvpField("Session-Id", required=True)]
    origin_host: Annotated[str, AvpField("Origin-Host", required=True)]
    origin_realm: Annotated[str, AvpField("Origin-Realm", required=True)]
    destination_realm: Annotated[str, AvpField("Destination-Realm", required=True)]
    destination_host: Annotated[str, AvpField("Destination-Host", required=True)]
    auth_application_id: Annotated[int, AvpField("Auth-Application-Id", required=True)]
    user_name: Annotated[str | None, AvpField("User-Name")] = None
    origin_state_id: Annotated[int | None, AvpField("Origin-State-Id")] = None
    proxy_info: Annotated[tuple[bytes, ...], AvpField("Proxy-Info")] = ()
    route_record: Annotated[tuple[str, ...], AvpField("Route-Record")] = ()
    avps: tuple[Avp, ...] = ()


class AbortSessionAnswer(Command, frozen=True, gc=False):
    """ASA (RFC 6733 §8.5.2)."""

    command_code: ClassVar[int] = 274

    session_id: Annotated[bytes, AvpField("Session-Id", required=True)]
    result_code: Annotated[int, AvpField("Result-Code", required=True)]
    origin_host: Annotated[str, AvpField("Origin-Host", required=True)]
    origin_realm: Annotated[str, AvpField("Origin-Realm", required=True)]
    user_name: Annotated[str | None, AvpField("User-Name")] = None
    origin_state_id: Annotated[int | None, AvpField("Origin-State-Id")] = None
    error_message: Annotated[str | None, AvpField("Error-Message")] = None
    error_reporting_host: Annotated[str | None, AvpField("Error-Reporting-Host")] = None
    failed_avp: Annotated[tuple[bytes, ...], AvpField("Failed-AVP")] = ()
    proxy_info: Annotated[tuple[bytes, ...], AvpField("Proxy-Info")] = ()
    avps: tuple[Avp, ...] = ()


class ErrorAnswer(Command, frozen=True, gc=False):
    """What is left of any answer under the E bit; its command code is the request's (RFC 6733 §7.2)."""

    session_id: Annotated[bytes | None, AvpField("Session-Id")] = None
    origin_host: Annotated[str, AvpField("Origin-Host", required=True)] = ""
    origin_realm: Annotated[str, AvpField("Origin-Realm", required=True)] = ""
    result_code: Annotated[int, AvpField("Result-Code", required=True)] = 0
    origin_state_id: Annotated[int | None, AvpField("Origin-State-Id")] = None
    error_message: Annotated[str | None, AvpField("Error-Message")] = None
    error_reporting_host: Annotated[str | None, AvpField("Error-Reporting-Host")] = None
    failed_avp: Annotated[tuple[bytes, ...], AvpField("Failed-AVP")] = ()
    experimental_result: Annotated[bytes | None, AvpField("Experimental-Result")] = None
    proxy_info: Annotated[tuple[bytes, ...], AvpField("Proxy-Info")] = ()
    avps: tuple[Avp, ...] = ()


COMMANDS: Final[dict[tuple[int, bool], type[Command]]] = {
    (command.command_code, command.request): command
    for command in (
        CapabilitiesExchangeRequest,
        CapabilitiesExchangeAnswer,
        DeviceWatchdogRequest,
        DeviceWatchdogAnswer,
        DisconnectPeerRequest,
        DisconnectPeerAnswer,
        CreditControlRequest,
        CreditControlAnswer,
        ReAuthRequest,
        ReAuthAnswer,
        AbortSessionRequest,
        AbortSessionAnswer,
    )
}
"""The class of a command's body, by command code and R bit; an answer under the E bit is an ErrorAnswer."""
