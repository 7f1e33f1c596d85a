"""The PDUs that we understand, each written like the table of its specification.

A class lists a PDU's mandatory parameters in the order in which they are sent, then its optional ones (TLVs), of which
one that is None is not sent. Lengths and counts (sm_length, number_of_dests) are not fields: they follow from what they
count. Strings are Latin-1, so that every octet has a character; what a short message says is for `text` to read.

`tlvs` holds, and sends last, every TLV that has no field in its class, that came a second time, or whose value has
not the length of its field. Every mandatory parameter has a default, NULL as the specification calls it.
"""

from typing import Annotated, ClassVar, Final

import msgspec

from protocols.smpp import parameters as par
from protocols.smpp.codec import CommandId, Tlv
from protocols.smpp.fields import CStr, Repeated, UInt


class Pdu(msgspec.Struct, frozen=True, gc=False):
    """The body of a PDU; the header stands beside it."""

    command_id: ClassVar[int] = 0


class UnknownPdu(Pdu, frozen=True, gc=False):
    """A command_id that is no PDU's: it is answered with generic_nack ESME_RINVCMDID (SMPP 3.4 §3.3)."""

    unknown_command_id: int
    body: bytes


class BindReceiver(Pdu, frozen=True, gc=False):
    """The ESME wants to receive (SMPP 3.4 §4.1.3)."""

    command_id: ClassVar[int] = CommandId.BIND_RECEIVER

    system_id: par.SystemId = ""
    password: Annotated[str, CStr(9)] = ""
    system_type: Annotated[str, CStr(13)] = ""
    interface_version: par.UInt1 = 0x34
    addr_ton: par.UInt1 = 0
    addr_npi: par.UInt1 = 0
    address_range: Annotated[str, CStr(41)] = ""
    tlvs: tuple[Tlv, ...] = ()


class BindReceiverResp(Pdu, frozen=True, gc=False):
    """Without sc_interface_version the message centre is of 3.3 and takes no TLVs (SMPP 3.4 §3.4, §4.1.4)."""

    command_id: ClassVar[int] = CommandId.BIND_RECEIVER_RESP

    system_id: par.SystemId = ""
    sc_interface_version: par.ScInterfaceVersion = None
    congestion_state: par.CongestionState = None
    tlvs: tuple[Tlv, ...] = ()


class BindTransmitter(BindReceiver, frozen=True, gc=False):
    """The ESME wants to send (SMPP 3.4 §4.1.1)."""

    command_id: ClassVar[int] = CommandId.BIND_TRANSMITTER


class BindTransmitterResp(BindReceiverResp, frozen=True, gc=False):
    """SMPP 3.4 §4.1.2."""

    command_id: ClassVar[int] = CommandId.BIND_TRANSMITTER_RESP


class BindTransceiver(BindReceiver, frozen=True, gc=False):
    """The ESME wants to send and receive (SMPP 3.4 §4.1.5)."""

    command_id: ClassVar[int] = CommandId.BIND_TRANSCEIVER


class BindTransceiverResp(BindReceiverResp, frozen=True, gc=False):
    """SMPP 3.4 §4.1.6."""

    command_id: ClassVar[int] = CommandId.BIND_TRANSCEIVER_RESP


class Outbind(Pdu, frozen=True, gc=False):
    """The message centre asks the ESME to bind as a receiver (SMPP 3.4 §4.1.7)."""

    command_id: ClassVar[int] = CommandId.OUTBIND

    system_id: par.SystemId = ""
    password: Annotated[str, CStr(9)] = ""
    tlvs: tuple[Tlv, ...] = ()


class Unbind(Pdu, frozen=True, gc=False):
    """Either side ends the session (SMPP 3.4 §4.2.1)."""

    command_id: ClassVar[int] = CommandId.UNBIND

    tlvs: tuple[Tlv, ...] = ()


class UnbindResp(Pdu, frozen=True, gc=False):
    """SMPP 3.4 §4.2.2."""

    command_id: ClassVar[int] = CommandId.UNBIND_RESP

    congestion_state: par.CongestionState = None
    tlvs: tuple[Tlv, ...] = ()


class GenericNack(Pdu, frozen=True, gc=False):
    """A PDU could not be read; sequence_number 0 if not even its header could (SMPP 3.4 §4.3.1)."""

    command_id: ClassVar[int] = CommandId.GENERIC_NACK

    tlvs: tuple[Tlv, ...] = ()


class SubmitSm(Pdu, frozen=True, gc=False):
    """A message to one mobile (SMPP 3.4 §4.4.1)."""

    command_id: ClassVar[int] = CommandId.SUBMIT_SM

    service_type: par.ServiceType = ""
    source_addr_ton: par.UInt1 = 0
    source_addr_npi: par.UInt1 = 0
    source_addr: par.Addr = ""
    dest_addr_ton: par.UInt1 = 0
    dest_addr_npi: par.UInt1 = 0
    destination_addr: par.Addr = ""
    esm_class: par.UInt1 = 0
    protocol_id: par.UInt1 = 0
    priority_flag: par.UInt1 = 0
    schedule_delivery_time: par.Moment = ""
    validity_period: par.Moment = ""
    registered_delivery: par.UInt1 = 0
    replace_if_present_flag: par.UInt1 = 0
    data_coding: par.UInt1 = 0
    sm_default_msg_id: par.UInt1 = 0
    short_message: par.ShortMessage = b""
    user_message_reference: par.UserMessageReference = None
    source_port: par.SourcePort = None
    source_addr_subunit: par.SourceAddrSubunit = None
    destination_port: par.DestinationPort = None
    dest_addr_subunit: par.DestAddrSubunit = None
    sar_msg_ref_num: par.SarMsgRefNum = None
    sar_total_segments: par.SarTotalSegments = None
    sar_segment_seqnum: par.SarSegmentSeqnum = None
    more_messages_to_send: par.MoreMessagesToSend = None
    payload_type: par.PayloadType = None
    message_payload: par.MessagePayload = None
    privacy_indicator: par.PrivacyIndicator = None
    callback_num: par.CallbackNum = None
    callback_num_pres_ind: par.CallbackNumPresInd = None
    callback_num_atag: par.CallbackNumAtag = None
    source_subaddress: par.SourceSubaddress = None
    dest_subaddress: par.DestSubaddress = None
    user_response_code: par.UserResponseCode = None
    display_time: par.DisplayTime = None
    sms_signal: par.SmsSignal = None
    ms_validity: par.MsValidity = None
    ms_msg_wait_facilities: par.MsMsgWaitFacilities = None
    number_of_messages: par.NumberOfMessages = None
    alert_on_message_delivery: par.AlertOnMessageDelivery = None
    language_indicator: par.LanguageIndicator = None
    its_reply_type: par.ItsReplyType = None
    its_session_info: par.ItsSessionInfo = None
    ussd_service_op: par.UssdServiceOp = None
    billing_identification: par.BillingIdentification = None
    dest_addr_np_country: par.DestAddrNpCountry = None
    dest_addr_np_information: par.DestAddrNpInformation = None
    dest_addr_np_resolution: par.DestAddrNpResolution = None
    dest_network_id: par.DestNetworkId = None
    dest_network_type: par.DestNetworkType = None
    dest_node_id: par.DestNodeId = None
    source_network_id: par.SourceNetworkId = None
    source_network_type: par.SourceNetworkType = None
    source_node_id: par.SourceNodeId = None
    tlvs: tuple[Tlv, ...] = ()


class SubmitSmResp(Pdu, frozen=True, gc=False):
    """SMPP 3.4 §4.4.2; an error has no body there, the optional parameters are of 5.0 §4.2.1.2."""

    command_id: ClassVar[int] = CommandId.SUBMIT_SM_RESP

    message_id: par.MessageId = ""
    additional_status_info_text: par.AdditionalStatusInfoText = None
    delivery_failure_reason: par.DeliveryFailureReason = None
    dpf_result: par.DpfResult = None
    network_error_code: par.NetworkErrorCode = None
    congestion_state: par.CongestionState = None
    tlvs: tuple[Tlv, ...] = ()


class SmeAddress(msgspec.Struct, frozen=True, gc=False):
    """One mobile among the destinations of a submit_multi (SMPP 3.4 §4.5.1.1)."""

    dest_flag: ClassVar[int] = 1

    dest_addr_ton: par.UInt1 = 0
    dest_addr_npi: par.UInt1 = 0
    destination_addr: par.Addr = ""


class DistributionList(msgspec.Struct, frozen=True, gc=False):
    """A list kept by the message centre, among the destinations of a submit_multi (SMPP 3.4 §4.5.1.2)."""

    dest_flag: ClassVar[int] = 2

    dl_name: par.Addr = ""


class SubmitMulti(Pdu, frozen=True, gc=False):
    """A message to several mobiles or lists (SMPP 3.4 §4.5.1)."""

    command_id: ClassVar[int] = CommandId.SUBMIT_MULTI

    service_type: par.ServiceType = ""
    source_addr_ton: par.UInt1 = 0
    source_addr_npi: par.UInt1 = 0
    source_addr: par.Addr = ""
    dest_address: Annotated[tuple[SmeAddress | DistributionList, ...], Repeated()] = ()
    esm_class: par.UInt1 = 0
    protocol_id: par.UInt1 = 0
    priority_flag: par.UInt1 = 0
    schedule_delivery_time: par.Moment = ""
    validity_period: par.Moment = ""
    registered_delivery: par.UInt1 = 0
    replace_if_present_flag: par.UInt1 = 0
    data_coding: par.UInt1 = 0
    sm_default_msg_id: par.UInt1 = 0
    short_message: par.ShortMessage = b""
    user_message_reference: par.UserMessageReference = None
    source_port: par.SourcePort = None
    source_addr_subunit: par.SourceAddrSubunit = None
    destination_port: par.DestinationPort = None
    dest_addr_subunit: par.DestAddrSubunit = None
    sar_msg_ref_num: par.SarMsgRefNum = None
    sar_total_segments: par.SarTotalSegments = None
    sar_segment_seqnum: par.SarSegmentSeqnum = None
    payload_type: par.PayloadType = None
    message_payload: par.MessagePayload = None
    privacy_indicator: par.PrivacyIndicator = None
    callback_num: par.CallbackNum = None
    callback_num_pres_ind: par.CallbackNumPresInd = None
    callback_num_atag: par.CallbackNumAtag = None
    source_subaddress: par.SourceSubaddress = None
    dest_subaddress: par.DestSubaddress = None
    display_time: par.DisplayTime = None
    sms_signal: par.SmsSignal = None
    ms_validity: par.MsValidity = None
    ms_msg_wait_facilities: par.MsMsgWaitFacilities = None
    alert_on_message_delivery: par.AlertOnMessageDelivery = None
    language_indicator: par.LanguageIndicator = None
    tlvs: tuple[Tlv, ...] = ()


class UnsuccessSme(msgspec.Struct, frozen=True, gc=False):
    """A destination that a submit_multi did not reach, and why (SMPP 3.4 §4.5.2.1)."""

    dest_addr_ton: par.UInt1 = 0
    dest_addr_npi: par.UInt1 = 0
    destination_addr: par.Addr = ""
    error_status_code: Annotated[int, UInt(4)] = 0


class SubmitMultiResp(Pdu, frozen=True, gc=False):
    """SMPP 3.4 §4.5.2."""

    command_id: ClassVar[int] = CommandId.SUBMIT_MULTI_RESP

    message_id: par.MessageId = ""
    unsuccess_sme: Annotated[tuple[UnsuccessSme, ...], Repeated()] = ()
    additional_status_info_text: par.AdditionalStatusInfoText = None
    delivery_failure_reason: par.DeliveryFailureReason = None
    dpf_result: par.DpfResult = None
    network_error_code: par.NetworkErrorCode = None
    congestion_state: par.CongestionState = None
    tlvs: tuple[Tlv, ...] = ()


class DeliverSm(Pdu, frozen=True, gc=False):
    """A message, or a receipt, to the ESME (SMPP 3.4 §4.6.1)."""

    command_id: ClassVar[int] = CommandId.DELIVER_SM

    service_type: par.ServiceType = ""
    source_addr_ton: par.UInt1 = 0
    source_addr_npi: par.UInt1 = 0
    source_addr: par.Addr = ""
    dest_addr_ton: par.UInt1 = 0
    dest_addr_npi: par.UInt1 = 0
    destination_addr: par.Addr = ""
    esm_class: par.UInt1 = 0
    protocol_id: par.UInt1 = 0
    priority_flag: par.UInt1 = 0
    schedule_delivery_time: par.Moment = ""
    validity_period: par.Moment = ""
    registered_delivery: par.UInt1 = 0
    replace_if_present_flag: par.UInt1 = 0
    data_coding: par.UInt1 = 0
    sm_default_msg_id: par.UInt1 = 0
    short_message: par.ShortMessage = b""
    user_message_reference: par.UserMessageReference = None
    source_port: par.SourcePort = None
    destination_port: par.DestinationPort = None
    sar_msg_ref_num: par.SarMsgRefNum = None
    sar_total_segments: par.SarTotalSegments = None
    sar_segment_seqnum: par.SarSegmentSeqnum = None
    user_response_code: par.UserResponseCode = None
    privacy_indicator: par.PrivacyIndicator = None
    payload_type: par.PayloadType = None
    message_payload: par.MessagePayload = None
    callback_num: par.CallbackNum = None
    source_subaddress: par.SourceSubaddress = None
    dest_subaddress: par.DestSubaddress = None
    language_indicator: par.LanguageIndicator = None
    its_session_info: par.ItsSessionInfo = None
    network_error_code: par.NetworkErrorCode = None
    message_state: par.MessageState = None
    receipted_message_id: par.ReceiptedMessageId = None
    ussd_service_op: par.UssdServiceOp = None
    source_addr_subunit: par.SourceAddrSubunit = None
    dest_addr_subunit: par.DestAddrSubunit = None
    callback_num_pres_ind: par.CallbackNumPresInd = None
    callback_num_atag: par.CallbackNumAtag = None
    dest_addr_np_country: par.DestAddrNpCountry = None
    dest_addr_np_information: par.DestAddrNpInformation = None
    dest_addr_np_resolution: par.DestAddrNpResolution = None
    dest_network_id: par.DestNetworkId = None
    dest_node_id: par.DestNodeId = None
    source_network_id: par.SourceNetworkId = None
    source_node_id: par.SourceNodeId = None
    tlvs: tuple[Tlv, ...] = ()


class DeliverSmResp(Pdu, frozen=True, gc=False):
    """message_id is not used: one NUL (SMPP 3.4 §4.6.2)."""

    command_id: ClassVar[int] = CommandId.DELIVER_SM_RESP

    message_id: par.MessageId = ""
    additional_status_info_text: par.AdditionalStatusInfoText = None
    delivery_failure_reason: par.DeliveryFailureReason = None
    network_error_code: par.NetworkErrorCode = None
    congestion_state: par.CongestionState = None
    tlvs: tuple[Tlv, ...] = ()


class DataSm(Pdu, frozen=True, gc=False):
    """A message either way, its text always in message_payload (SMPP 3.4 §4.7.1)."""

    command_id: ClassVar[int] = CommandId.DATA_SM

    service_type: par.ServiceType = ""
    source_addr_ton: par.UInt1 = 0
    source_addr_npi: par.UInt1 = 0
    source_addr: par.LongAddr = ""
    dest_addr_ton: par.UInt1 = 0
    dest_addr_npi: par.UInt1 = 0
    destination_addr: par.LongAddr = ""
    esm_class: par.UInt1 = 0
    registered_delivery: par.UInt1 = 0
    data_coding: par.UInt1 = 0
    source_port: par.SourcePort = None
    source_addr_subunit: par.SourceAddrSubunit = None
    source_network_type: par.SourceNetworkType = None
    source_bearer_type: par.SourceBearerType = None
    source_telematics_id: par.SourceTelematicsId = None
    destination_port: par.DestinationPort = None
    dest_addr_subunit: par.DestAddrSubunit = None
    dest_network_type: par.DestNetworkType = None
    dest_bearer_type: par.DestBearerType = None
    dest_telematics_id: par.DestTelematicsId = None
    sar_msg_ref_num: par.SarMsgRefNum = None
    sar_total_segments: par.SarTotalSegments = None
    sar_segment_seqnum: par.SarSegmentSeqnum = None
    more_messages_to_send: par.MoreMessagesToSend = None
    qos_time_to_live: par.QosTimeToLive = None
    payload_type: par.PayloadType = None
    message_payload: par.MessagePayload = None
    set_dpf: par.SetDpf = None
    receipted_message_id: par.ReceiptedMessageId = None
    message_state: par.MessageState = None
    network_error_code: par.NetworkErrorCode = None
    user_message_reference: par.UserMessageReference = None
    privacy_indicator: par.PrivacyIndicator = None
    callback_num: par.CallbackNum = None
    callback_num_pres_ind: par.CallbackNumPresInd = None
    callback_num_atag: par.CallbackNumAtag = None
    source_subaddress: par.SourceSubaddress = None
    dest_subaddress: par.DestSubaddress = None
    user_response_code: par.UserResponseCode = None
    display_time: par.DisplayTime = None
    sms_signal: par.SmsSignal = None
    ms_validity: par.MsValidity = None
    ms_msg_wait_facilities: par.MsMsgWaitFacilities = None
    number_of_messages: par.NumberOfMessages = None
    alert_on_message_delivery: par.AlertOnMessageDelivery = None
    language_indicator: par.LanguageIndicator = None
    its_reply_type: par.ItsReplyType = None
    its_session_info: par.ItsSessionInfo = None
    ussd_service_op: par.UssdServiceOp = None
    tlvs: tuple[Tlv, ...] = ()


class DataSmResp(Pdu, frozen=True, gc=False):
    """SMPP 3.4 §4.7.2."""

    command_id: ClassVar[int] = CommandId.DATA_SM_RESP

    message_id: par.MessageId = ""
    delivery_failure_reason: par.DeliveryFailureReason = None
    network_error_code: par.NetworkErrorCode = None
    additional_status_info_text: par.AdditionalStatusInfoText = None
    dpf_result: par.DpfResult = None
    congestion_state: par.CongestionState = None
    tlvs: tuple[Tlv, ...] = ()


class QuerySm(Pdu, frozen=True, gc=False):
    """What became of a message? (SMPP 3.4 §4.8.1)"""

    command_id: ClassVar[int] = CommandId.QUERY_SM

    message_id: par.MessageId = ""
    source_addr_ton: par.UInt1 = 0
    source_addr_npi: par.UInt1 = 0
    source_addr: par.Addr = ""
    tlvs: tuple[Tlv, ...] = ()


class QuerySmResp(Pdu, frozen=True, gc=False):
    """SMPP 3.4 §4.8.2; message_state as in §5.2.28."""

    command_id: ClassVar[int] = CommandId.QUERY_SM_RESP

    message_id: par.MessageId = ""
    final_date: par.Moment = ""
    message_state: par.UInt1 = 0
    error_code: par.UInt1 = 0
    congestion_state: par.CongestionState = None
    tlvs: tuple[Tlv, ...] = ()


class CancelSm(Pdu, frozen=True, gc=False):
    """Take back a message, or all between two addresses if message_id is empty (SMPP 3.4 §4.9.1)."""

    command_id: ClassVar[int] = CommandId.CANCEL_SM

    service_type: par.ServiceType = ""
    message_id: par.MessageId = ""
    source_addr_ton: par.UInt1 = 0
    source_addr_npi: par.UInt1 = 0
    source_addr: par.Addr = ""
    dest_addr_ton: par.UInt1 = 0
    dest_addr_npi: par.UInt1 = 0
    destination_addr: par.Addr = ""
    tlvs: tuple[Tlv, ...] = ()


class CancelSmResp(Pdu, frozen=True, gc=False):
    """SMPP 3.4 §4.9.2."""

    command_id: ClassVar[int] = CommandId.CANCEL_SM_RESP

    congestion_state: par.CongestionState = None
    tlvs: tuple[Tlv, ...] = ()


class ReplaceSm(Pdu, frozen=True, gc=False):
    """Put another text in the place of one that waits (SMPP 3.4 §4.10.1; message_payload is of 5.0)."""

    command_id: ClassVar[int] = CommandId.REPLACE_SM

    message_id: par.MessageId = ""
    source_addr_ton: par.UInt1 = 0
    source_addr_npi: par.UInt1 = 0
    source_addr: par.Addr = ""
    schedule_delivery_time: par.Moment = ""
    validity_period: par.Moment = ""
    registered_delivery: par.UInt1 = 0
    sm_default_msg_id: par.UInt1 = 0
    short_message: par.ShortMessage = b""
    message_payload: par.MessagePayload = None
    tlvs: tuple[Tlv, ...] = ()


class ReplaceSmResp(Pdu, frozen=True, gc=False):
    """SMPP 3.4 §4.10.2."""

    command_id: ClassVar[int] = CommandId.REPLACE_SM_RESP

    congestion_state: par.CongestionState = None
    tlvs: tuple[Tlv, ...] = ()


class EnquireLink(Pdu, frozen=True, gc=False):
    """Are you there? Either side asks (SMPP 3.4 §4.11.1)."""

    command_id: ClassVar[int] = CommandId.ENQUIRE_LINK

    tlvs: tuple[Tlv, ...] = ()


class EnquireLinkResp(Pdu, frozen=True, gc=False):
    """SMPP 3.4 §4.11.2."""

    command_id: ClassVar[int] = CommandId.ENQUIRE_LINK_RESP

    congestion_state: par.CongestionState = None
    tlvs: tuple[Tlv, ...] = ()


class AlertNotification(Pdu, frozen=True, gc=False):
    """A mobile that a data_sm set a flag for can be reached again; it has no response (SMPP 3.4 §4.12.1)."""

    command_id: ClassVar[int] = CommandId.ALERT_NOTIFICATION

    source_addr_ton: par.UInt1 = 0
    source_addr_npi: par.UInt1 = 0
    source_addr: par.LongAddr = ""
    esme_addr_ton: par.UInt1 = 0
    esme_addr_npi: par.UInt1 = 0
    esme_addr: par.LongAddr = ""
    ms_availability_status: par.MsAvailabilityStatus = None
    tlvs: tuple[Tlv, ...] = ()


COMMANDS: Final[dict[int, type[Pdu]]] = {
    int(command.command_id): command
    for command in (
        BindReceiver,
        BindReceiverResp,
        BindTransmitter,
        BindTransmitterResp,
        BindTransceiver,
        BindTransceiverResp,
        Outbind,
        Unbind,
        UnbindResp,
        GenericNack,
        SubmitSm,
        SubmitSmResp,
        SubmitMulti,
        SubmitMultiResp,
        DeliverSm,
        DeliverSmResp,
        DataSm,
        DataSmResp,
        QuerySm,
        QuerySmResp,
        CancelSm,
        CancelSmResp,
        ReplaceSm,
        ReplaceSmResp,
        EnquireLink,
        EnquireLinkResp,
        AlertNotification,
    )
}
"""The class of a PDU's body by command_id. The broadcast operations of 5.0 are not among them."""

RESPONSES: Final[dict[int, type[Pdu]]] = {
    command_id: COMMANDS[command_id | 0x80000000]
    for command_id in COMMANDS
    if command_id < 0x80000000 and command_id | 0x80000000 in COMMANDS
}
"""The class that answers a request, by the request's command_id; outbind and alert_notification have none."""
