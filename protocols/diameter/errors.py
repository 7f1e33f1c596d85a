"""Diameter result codes, and the error that carries one to the answer."""

from enum import IntEnum
from typing import Final

from protocols.errors import RemoteProtocolError


class ResultCode(IntEnum):
    """Values of Result-Code (RFC 6733 §7.1, RFC 8506 §9).

    3xxx are protocol errors and go out under the E bit; 4xxx are transient and 5xxx permanent failures.
    """

    DIAMETER_MULTI_ROUND_AUTH = 1001
    DIAMETER_SUCCESS = 2001
    DIAMETER_LIMITED_SUCCESS = 2002
    DIAMETER_COMMAND_UNSUPPORTED = 3001
    DIAMETER_UNABLE_TO_DELIVER = 3002
    DIAMETER_REALM_NOT_SERVED = 3003
    DIAMETER_TOO_BUSY = 3004
    DIAMETER_LOOP_DETECTED = 3005
    DIAMETER_REDIRECT_INDICATION = 3006
    DIAMETER_APPLICATION_UNSUPPORTED = 3007
    DIAMETER_INVALID_HDR_BITS = 3008
    DIAMETER_INVALID_AVP_BITS = 3009
    DIAMETER_UNKNOWN_PEER = 3010
    DIAMETER_AUTHENTICATION_REJECTED = 4001
    DIAMETER_OUT_OF_SPACE = 4002
    DIAMETER_ELECTION_LOST = 4003
    DIAMETER_END_USER_SERVICE_DENIED = 4010
    DIAMETER_CREDIT_CONTROL_NOT_APPLICABLE = 4011
    DIAMETER_CREDIT_LIMIT_REACHED = 4012
    DIAMETER_AVP_UNSUPPORTED = 5001
    DIAMETER_UNKNOWN_SESSION_ID = 5002
    DIAMETER_AUTHORIZATION_REJECTED = 5003
    DIAMETER_INVALID_AVP_VALUE = 5004
    DIAMETER_MISSING_AVP = 5005
    DIAMETER_RESOURCES_EXCEEDED = 5006
    DIAMETER_CONTRADICTING_AVPS = 5007
    DIAMETER_AVP_NOT_ALLOWED = 5008
    DIAMETER_AVP_OCCURS_TOO_MANY_TIMES = 5009
    DIAMETER_NO_COMMON_APPLICATION = 5010
    DIAMETER_UNSUPPORTED_VERSION = 5011
    DIAMETER_UNABLE_TO_COMPLY = 5012
    DIAMETER_INVALID_BIT_IN_HEADER = 5013
    DIAMETER_INVALID_AVP_LENGTH = 5014
    DIAMETER_INVALID_MESSAGE_LENGTH = 5015
    DIAMETER_INVALID_AVP_BIT_COMBO = 5016
    DIAMETER_NO_COMMON_SECURITY = 5017
    DIAMETER_USER_UNKNOWN = 5030
    DIAMETER_RATING_FAILED = 5031


MALFORMED: Final = frozenset(
    {
        ResultCode.DIAMETER_INVALID_HDR_BITS,
        ResultCode.DIAMETER_INVALID_AVP_BITS,
        ResultCode.DIAMETER_AVP_UNSUPPORTED,
        ResultCode.DIAMETER_INVALID_AVP_VALUE,
        ResultCode.DIAMETER_MISSING_AVP,
        ResultCode.DIAMETER_CONTRADICTING_AVPS,
        ResultCode.DIAMETER_AVP_NOT_ALLOWED,
        ResultCode.DIAMETER_AVP_OCCURS_TOO_MANY_TIMES,
        ResultCode.DIAMETER_UNSUPPORTED_VERSION,
        ResultCode.DIAMETER_INVALID_BIT_IN_HEADER,
        ResultCode.DIAMETER_INVALID_AVP_LENGTH,
        ResultCode.DIAMETER_INVALID_MESSAGE_LENGTH,
        ResultCode.DIAMETER_INVALID_AVP_BIT_COMBO,
    }
)
"""The result codes that find fault with how a message is written, not with what it asks for."""


class DiameterError(RemoteProtocolError):
    """The peer's message cannot be taken as it is.

    Attributes:
        result_code: what the answer's Result-Code says.
        message: one English sentence, fit for Error-Message.
        failed_avp: the offending AVP, encoded and padded, well-formed even where the original was not: it is
            the data of the answer's Failed-AVP (RFC 6733 §7.5). b"" if there is none.
        fatal: the octet stream cannot be trusted any more (framing); the connection has to be closed.
    """

    def __init__(self, result_code: int, message: str, failed_avp: bytes = b"", *, fatal: bool = False) -> None:
        super().__init__(message, error_code(result_code))
        self.result_code = result_code
        self.message = message
        self.failed_avp = failed_avp
        self.fatal = fatal


def error_code(result_code: int) -> str:
    """The stable dotted code of a result code: 5005 -> `diameter.missing_avp`."""
    try:
        name = ResultCode(result_code).name
    except ValueError:
        return f"diameter.result_{result_code}"
    return "diameter." + name.removeprefix("DIAMETER_").lower()
