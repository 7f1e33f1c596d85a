"""What the network's protocols tell, as log events: which name each has, and how its fields are written."""

from enum import Enum, IntEnum
from typing import Final

import msgspec

from gateway.charging.gy.server import DRAINS
from gateway.messaging import text_events
from gateway.messaging.queue import query_sm
from gateway.messaging.queue.query_sm import QueryEvent
from gateway.messaging.text_events import TextEvent
from protocols.diameter import node_events as diameter
from protocols.diameter.node_events import NodeEvent
from protocols.diameter.transitions import CloseReason as DiameterClose
from protocols.smpp import node_events as smpp
from protocols.smpp.errors import CommandStatus
from protocols.smpp.node_events import LinkEvent
from protocols.smpp.transitions import CloseReason as SmppClose
from protocols.smpp.transitions import SessionState

NAMES: dict[type, str] = {
    diameter.PeerUp: "diameter.peer.up",
    diameter.PeerDown: "diameter.peer.down",
    diameter.PeerSuspected: "diameter.peer.suspected",
    diameter.PeerRecovered: "diameter.peer.recovered",
    diameter.PeerRestarted: "diameter.peer.restarted",
    diameter.ConnectFailed: "diameter.peer.unreachable",
    diameter.PeerRejected: "diameter.peer.rejected",
    diameter.MessageRejected: "diameter.message.rejected",
    diameter.RequestsRefused: "diameter.requests.refused",
    diameter.HandlerFailed: "diameter.handler.failed",
    diameter.Undecodable: "diameter.message.undecodable",
    smpp.LinkUp: "smpp.link.up",
    smpp.LinkDown: "smpp.link.down",
    smpp.ConnectFailed: "smpp.link.unreachable",
    smpp.LinkRefused: "smpp.link.refused",
    smpp.LinkThrottled: "smpp.link.throttled",
    smpp.MessageRejected: "smpp.message.rejected",
    smpp.Undecodable: "smpp.message.undecodable",
    smpp.HandlerFailed: "smpp.handler.failed",
    query_sm.QueryRefused: "smpp.query.refused",
    query_sm.QueriesUnsupported: "smpp.query.unsupported",
    text_events.GivenUp: "sms.text.given_up",
    text_events.AnswersLimited: "sms.answers.limited",
    text_events.SwitchingAsked: "sms.switching.requested",
    text_events.UnmatchedReceipt: "sms.receipt.unmatched",
}
"""The log event of each kind of protocol event; gateway.logs.catalogue says what to do about it."""

LEAVING: Final = {f"in {state.name}" for state in (SessionState.DRAINING, SessionState.UNBINDING, SessionState.LEAVING)}
BUSY: Final = {CommandStatus.ESME_RX_T_APPN, CommandStatus.ESME_RTHROTTLED}
"""What a session says to a request that comes while one side leaves, and why: it is to be sent again."""


def name_of(event: NodeEvent | LinkEvent | QueryEvent | TextEvent) -> str:
    """Return the log event's name; an end in order is no trouble, nor what is put off because of it: both have their names."""
    if isinstance(event, diameter.PeerDown) and event.reason in (DiameterClose.LEFT, DiameterClose.STOPPED):
        return "diameter.peer.left"
    if isinstance(event, smpp.LinkDown) and event.reason in (SmppClose.LEFT, SmppClose.STOPPED):
        return "smpp.link.left"
    if isinstance(event, diameter.MessageRejected) and event.reason == DRAINS:
        return "diameter.message.deferred"
    if isinstance(event, smpp.MessageRejected) and event.leaving:
        return "smpp.message.deferred"
    return NAMES[type(event)]


def fields_of(event: NodeEvent | LinkEvent | QueryEvent | TextEvent) -> dict[str, object]:
    """Return the event's fields as a log line has them: of a message that could not be read its size, not its content."""
    fields = msgspec.structs.asdict(event)
    message = fields.pop("message", b"")
    if isinstance(event, smpp.MessageRejected):
        del fields["leaving"]  # the name says it
    shown = {name: _shown(value) for name, value in fields.items()}
    return {**shown, "octets": len(message)} if message else shown


def _shown(value: object) -> object:
    """Write enums by what they mean, and leave numbers as they are."""
    if isinstance(value, IntEnum):
        return value.name
    if isinstance(value, Enum):
        return str(value.value)
    return value if value is None or isinstance(value, int | float) else str(value)
