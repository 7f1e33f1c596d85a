"""Answering what an SMSC delivered, once it is known what became of its effects (SMPP 3.4 §4.6.2)."""

from collections.abc import Iterable

from protocols.smpp.client import Request
from protocols.smpp.errors import CommandStatus

UNKNOWN = "nobody knows whether the store has it: the peer has to send it again"


def acknowledge(requests: Iterable[Request]) -> bool:
    """Answer that all is on disk; tell whether any of the answers could be sent."""
    reached = [request.respond() for request in requests]
    return any(reached)


def refuse(requests: Iterable[Request]) -> None:
    """Answer that nothing was done: the SMSC may deliver it again."""
    for request in requests:
        request.respond(command_status=CommandStatus.ESME_RX_T_APPN)


def drop(requests: Iterable[Request]) -> None:
    """Answer nothing, and end the connection, where nobody knows what is on disk."""
    for request in requests:
        request.drop_connection(UNKNOWN)
