"""Answers about traces, and about messages that could not be read."""

import msgspec

from gateway.api.answers.nodes import NodeProblem
from gateway.events.times import Timestamp


class TraceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A trace: what it is about (masked), from when until when, what it saw, who wanted it, and which gateway it runs at."""

    id: str
    subject: str
    state: str
    since: Timestamp
    until: Timestamp
    ended: str | None
    messages: int
    missed: int
    content: bool
    pcap: str | None
    by: str
    node: str = ""


class StartedTrace(TraceRow, frozen=True, kw_only=True):
    """A trace that has begun; `known` whether the gateway knows its subject.

    `others` is the same trace at the other gateways on the store, `silent` those at which it does not run, and why.
    """

    known: bool
    others: list[TraceRow] = []
    silent: list[NodeProblem] = []


class TraceRows(msgspec.Struct, frozen=True):
    """Traces; `silent` are gateways that did not tell of theirs."""

    rows: list[TraceRow]
    silent: list[NodeProblem] = []


class TraceMessage(msgspec.Struct, frozen=True):
    """A message that a trace saw, in a few words; `number` counts at its gateway."""

    number: int
    at: Timestamp
    way: str
    protocol: str
    name: str
    what: str
    sequence: int | None
    status: str
    numbers: str
    node: str = ""


class TraceSeen(msgspec.Struct, frozen=True):
    """A trace and what it saw, at all gateways, by time; `silent` are those that did not tell."""

    trace: TraceRow
    rows: list[TraceMessage]
    silent: list[NodeProblem] = []


class UndecodableMessage(msgspec.Struct, frozen=True):
    """A message that could not be read, and why; `message` is hexadecimal, its header alone unless content was asked for."""

    at: Timestamp
    protocol: str
    name: str
    reason: str
    octets: int
    message: str
    node: str = ""


class UndecodableMessages(msgspec.Struct, frozen=True):
    """The last messages that could not be read; `silent` are gateways that did not tell of theirs."""

    rows: list[UndecodableMessage]
    silent: list[NodeProblem] = []
