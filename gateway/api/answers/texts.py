"""Answers about texts that were accepted, and about the SMPP links that carry them."""

from typing import Literal

import msgspec

from gateway.api.answers.nodes import NodeProblem
from gateway.events.times import Timestamp
from protocols.smpp.node_events import Counters


class TakenText(msgspec.Struct, frozen=True):
    """A text that was accepted."""

    id: str
    reference: str | None
    state: Literal["queued"]


class TakenTexts(msgspec.Struct, frozen=True):
    """Texts that were accepted, in their order."""

    messages: list[TakenText]


class UnmatchedReceiptView(msgspec.Struct, frozen=True):
    """A delivery receipt that settled no text: when it came, why, what it says of id and state, the masked number."""

    at: Timestamp
    reason: str
    message_id: str
    stat: str
    number: str


class LinkView(msgspec.Struct, frozen=True):
    """An SMPP link as it is now: the fields of `protocols.smpp.node_events.LinkState`, times as RFC 3339, and its gateway."""

    name: str
    state: str
    since: Timestamp
    address: str
    system_id: str
    waiting: int
    unanswered: int
    paused_until: Timestamp | None
    retry_at: Timestamp | None
    wanted: bool
    suspended: bool
    congestion_state: int | None
    counters: Counters
    unmatched_receipts: list[UnmatchedReceiptView]
    node: str = ""


class Links(msgspec.Struct, frozen=True):
    """All SMPP links; `silent` are gateways that did not tell of theirs."""

    rows: list[LinkView]
    silent: list[NodeProblem] = []
