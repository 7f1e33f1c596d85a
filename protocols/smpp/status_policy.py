"""What a command_status says of trying again: now and then, never, or only after a person has looked."""

from enum import Enum
from typing import Final

from protocols.smpp.errors import CommandStatus


class Retry(Enum):
    """What may be done with a request that got this status."""

    DONE = "it was taken"
    THROTTLED = "the link pauses; the same request may go again"
    LATER = "the same request may succeed later"
    NEVER = "the same request will not succeed"


_THROTTLED: Final = frozenset({CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RMSGQFUL})
_LATER: Final = frozenset(
    {
        CommandStatus.ESME_RSYSERR,
        CommandStatus.ESME_RX_T_APPN,
        CommandStatus.ESME_RINVBNDSTS,
        CommandStatus.ESME_RSERTYPUNAVAIL,
    }
)
_NO_ROUTE: Final = frozenset(
    {
        CommandStatus.ESME_RINVSRCADR,
        CommandStatus.ESME_RINVDSTADR,
        CommandStatus.ESME_RINVSRCTON,
        CommandStatus.ESME_RINVSRCNPI,
        CommandStatus.ESME_RINVDSTTON,
        CommandStatus.ESME_RINVDSTNPI,
    }
)
_BIND_NEEDS_A_PERSON: Final = frozenset(
    {
        CommandStatus.ESME_RALYBND,
        CommandStatus.ESME_RBINDFAIL,
        CommandStatus.ESME_RINVPASWD,
        CommandStatus.ESME_RINVSYSID,
        CommandStatus.ESME_RINVSYSTYP,
        CommandStatus.ESME_RPROHIBITED,
    }
)


def retry_of(command_status: int) -> Retry:
    """The status of a response to submit_sm, deliver_sm...; unknown and vendor's ones are final."""
    if not command_status:
        return Retry.DONE
    if command_status in _THROTTLED:
        return Retry.THROTTLED
    return Retry.LATER if command_status in _LATER else Retry.NEVER


def is_no_route(command_status: int) -> bool:
    """Whether the peer has no way between these two addresses: another message centre may have one."""
    return command_status in _NO_ROUTE


def needs_a_person(command_status: int) -> bool:
    """Whether a bind was refused for a reason that trying again at once would only make worse."""
    return command_status in _BIND_NEEDS_A_PERSON
