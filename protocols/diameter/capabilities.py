"""What two peers tell each other first, and what they have in common (RFC 6733 §5.3)."""

from collections.abc import Mapping
from struct import Struct
from typing import Final

import msgspec

from protocols.diameter.codec import HEADER_SIZE, encode_avp
from protocols.diameter.errors import DiameterError, ResultCode
from protocols.diameter.generated import encode
from protocols.diameter.identity import NodeIdentity, fold
from protocols.diameter.messages import (
    RELAY_APPLICATION,
    CapabilitiesExchangeAnswer,
    CapabilitiesExchangeRequest,
    DeviceWatchdogAnswer,
    DeviceWatchdogRequest,
    DisconnectPeerAnswer,
    DisconnectPeerRequest,
    VendorSpecificApplicationId,
)

NO_INBAND_SECURITY: Final = 0
"""RFC 6733 §6.10; some peers hang up on a CEA that does not say so."""

_TWO_WORDS: Final = Struct(">II").unpack_from
_ORIGIN_HOST: Final = 264
_ORIGIN_STATE_ID: Final = 278
_ORIGIN_REALM: Final = 296
_RESULT_CODE: Final = 268
_ERROR_MESSAGE: Final = 281
_FAILED_AVP: Final = 279


class Capabilities(msgspec.Struct, frozen=True):
    """What a peer said of itself."""

    origin_host: str
    origin_realm: str
    product_name: str
    origin_state_id: int | None
    applications: frozenset[int]


class LocalNode(msgspec.Struct, frozen=True):
    """Our side of one connection: who we are, and the bodies of the base protocol's messages that say so.

    Attributes:
        addresses: the data of our Host-IP-Address AVPs.
        applications: Application-Id -> Vendor-Id (0: none).
    """

    identity: NodeIdentity
    addresses: tuple[bytes, ...]
    applications: Mapping[int, int]

    def request(self) -> bytes:
        """The body of our CER."""
        return encode(self._capabilities())

    def answer(self) -> bytes:
        """The body of our CEA that accepts."""
        same = msgspec.structs.asdict(self._capabilities())
        return encode(CapabilitiesExchangeAnswer(result_code=ResultCode.DIAMETER_SUCCESS, **same))

    def refusing_answer(self, error: DiameterError) -> bytes:
        """The body of our CEA that refuses: but for 3xxx it has all that a CEA must have (RFC 6733 §5.3.2, §7.2)."""
        if error.result_code // 1000 == 3:
            return self.refusal(error)
        same = msgspec.structs.asdict(self._capabilities())
        return encode(
            CapabilitiesExchangeAnswer(
                result_code=error.result_code,
                error_message=error.message,
                failed_avp=(error.failed_avp,) if error.failed_avp else (),
                **same,
            )
        )

    def watchdog_request(self) -> bytes:
        """The body of a DWR."""
        identity = self.identity
        return encode(
            DeviceWatchdogRequest(
                origin_host=identity.origin_host,
                origin_realm=identity.origin_realm,
                origin_state_id=identity.origin_state_id or None,
            )
        )

    def watchdog_answer(self) -> bytes:
        """The body of a DWA."""
        identity = self.identity
        return encode(
            DeviceWatchdogAnswer(
                result_code=ResultCode.DIAMETER_SUCCESS,
                origin_host=identity.origin_host,
                origin_realm=identity.origin_realm,
                origin_state_id=identity.origin_state_id or None,
            )
        )

    def disconnect_request(self, cause: int) -> bytes:
        """The body of a DPR."""
        identity = self.identity
        return encode(
            DisconnectPeerRequest(
                origin_host=identity.origin_host, origin_realm=identity.origin_realm, disconnect_cause=cause
            )
        )

    def disconnect_answer(self) -> bytes:
        """The body of a DPA."""
        identity = self.identity
        return encode(
            DisconnectPeerAnswer(
                result_code=ResultCode.DIAMETER_SUCCESS,
                origin_host=identity.origin_host,
                origin_realm=identity.origin_realm,
            )
        )

    def refusal(self, error: DiameterError) -> bytes:
        """The body of an answer that refuses: what all answers have in common (RFC 6733 §7.2)."""
        return error_body(self.identity, error)

    def common(self, capabilities: Capabilities) -> frozenset[int]:
        """The applications that both sides speak; a relay speaks all."""
        ours = frozenset(self.applications)
        return ours if RELAY_APPLICATION in capabilities.applications else ours & capabilities.applications

    def _capabilities(self) -> CapabilitiesExchangeRequest:
        """Who we are, and what we speak."""
        identity, applications = self.identity, self.applications.items()
        return CapabilitiesExchangeRequest(
            origin_host=identity.origin_host,
            origin_realm=identity.origin_realm,
            host_ip_address=self.addresses,
            vendor_id=identity.vendor_id,
            product_name=identity.product_name,
            origin_state_id=identity.origin_state_id or None,
            supported_vendor_id=identity.supported_vendor_ids,
            auth_application_id=tuple(code for code, vendor in applications if not vendor),
            inband_security_id=(NO_INBAND_SECURITY,),
            vendor_specific_application_id=tuple(
                VendorSpecificApplicationId(vendor_id=vendor, auth_application_id=code)
                for code, vendor in applications
                if vendor
            ),
            firmware_revision=identity.firmware_revision,
        )


def capabilities_of(message: CapabilitiesExchangeRequest | CapabilitiesExchangeAnswer) -> Capabilities:
    """What a CER or CEA says, from whichever AVP it says it in."""
    applications = {*message.auth_application_id, *message.acct_application_id}
    for group in message.vendor_specific_application_id:
        applications |= {group.auth_application_id, group.acct_application_id} - {None}  # type: ignore[arg-type] # None is taken out
    return Capabilities(
        message.origin_host,
        message.origin_realm,
        message.product_name or "",
        message.origin_state_id,
        frozenset(applications),
    )


def origin_state_id(frame: bytes) -> int:
    """The Origin-State-Id of a whole message, as far as it can be read; 0 without one."""
    position, end = HEADER_SIZE, len(frame)
    while position + 8 <= end:
        code, word = _TWO_WORDS(frame, position)
        length = word & 0xFFFFFF
        if code == _ORIGIN_STATE_ID and length == 12 and word < 0x80000000:
            return int.from_bytes(frame[position + 8 : position + 12], "big")
        position += max(8, length + 3 & 0x1FFFFFC)
    return 0


def check_request(local: LocalNode, cer: CapabilitiesExchangeRequest) -> None:
    """Raise DiameterError if we have nothing to say to this peer, whoever it is."""
    if not local.common(capabilities_of(cer)):
        raise DiameterError(ResultCode.DIAMETER_NO_COMMON_APPLICATION, "no common application")
    if cer.inband_security_id and NO_INBAND_SECURITY not in cer.inband_security_id:
        raise DiameterError(ResultCode.DIAMETER_NO_COMMON_SECURITY, "TLS begins before CER here")


def check_answer(local: LocalNode, cea: CapabilitiesExchangeAnswer, expected: str, expected_realm: str) -> None:
    """Raise DiameterError if the CEA refuses us, or is not of the peer that we dialled (where one is `expected`)."""
    if cea.result_code // 1000 != 2:
        raise DiameterError(cea.result_code, cea.error_message or "")
    if expected and fold(cea.origin_host) != fold(expected):
        raise DiameterError(ResultCode.DIAMETER_UNKNOWN_PEER, f"the CEA is of {cea.origin_host}")
    if expected_realm and fold(cea.origin_realm) != fold(expected_realm):
        raise DiameterError(ResultCode.DIAMETER_UNKNOWN_PEER, f"the CEA is of {cea.origin_realm}, not {expected_realm}")
    if not local.common(capabilities_of(cea)):
        raise DiameterError(ResultCode.DIAMETER_NO_COMMON_APPLICATION, "no common application")


def error_body(identity: NodeIdentity, error: DiameterError, in_front: bytes = b"") -> bytes:
    """The AVPs of an answer that refuses; `in_front` takes Session-Id, which comes first."""
    failed = encode_avp(_FAILED_AVP, error.failed_avp) if error.failed_avp else b""
    return (
        in_front
        + encode_avp(_ORIGIN_HOST, identity.origin_host.encode())
        + encode_avp(_ORIGIN_REALM, identity.origin_realm.encode())
        + encode_avp(_RESULT_CODE, int(error.result_code).to_bytes(4, "big"))
        + encode_avp(_ERROR_MESSAGE, error.message.encode(), flags=0)
        + failed
    )
