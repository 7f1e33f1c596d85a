"""Actions about traces: begun by a number or a name, listed, shown, stopped; and the last messages that could not be read."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import phonenumbers
from msgspec import structs
from sqlalchemy import Connection, or_, select

from gateway.api.action import AsyncAction, Everywhere, RunningAction
from gateway.api.answers.nodes import NodeProblem
from gateway.api.answers.traces import (
    StartedTrace,
    TraceMessage,
    TraceRow,
    TraceRows,
    TraceSeen,
    UndecodableMessage,
    UndecodableMessages,
)
from gateway.api.callers import ADMIN, OPERATOR, VIEWER, Caller, need
from gateway.api.problems import bad_request, conflict, not_found
from gateway.api.requests.fields import Nothing
from gateway.api.requests.traces import ListUndecodable, ShowTrace, StartTrace, StopTrace
from gateway.context import GatewayContext
from gateway.events.times import rfc3339
from gateway.messaging.smsc_client import SmscClient
from gateway.privacy.masks import mask
from gateway.sims.order_executor import OrderExecutor
from gateway.store.tables import lines, sims
from gateway.subscribers.queries import find
from gateway.tracing.files import FileRefused
from gateway.tracing.masking import header_only
from gateway.tracing.matching import ByName, ByNumbers, Matching
from gateway.tracing.traces import MAX_LINES, Asked, TooMany, Trace, TraceLine, Traces
from gateway.tracing.undecodable import Undecodable, Unread
from protocols.diameter.node import Node
from provisioning.errors import IdentifierInvalid
from provisioning.identifiers import imsi, msisdn

SUBJECTS: Final[dict[str, Callable[[str, str], str]]] = {
    "msisdn": msisdn,
    "imsi": lambda text, _country: imsi(text),
    "link": lambda text, _country: text,
}


NOT_HERE: Final = frozenset({"trace.unknown", "trace.link"})
"""Codes by which a gateway says that it has no such trace, or nothing of the name that is to be traced."""


class TraceActions:
    """What may be asked about traces."""

    def __init__(
        self,
        context: GatewayContext,
        traces: Traces,
        unread: Undecodable,
        smsc_client: SmscClient,
        executor: OrderExecutor,
        node: Node | None,
    ) -> None:
        """Take what keeps the traces, and what knows the names that there are."""
        self._context, self._traces, self._unread = context, traces, unread
        self._smsc_client, self._executor, self._node = smsc_client, executor, node

    def actions(self) -> dict[str, RunningAction]:
        """Return what `tpo trace` asks for, by name."""
        return {
            "trace.start": AsyncAction(self._start, OPERATOR, StartTrace, self._start_everywhere()),
            "trace.list": AsyncAction(self._list, VIEWER, Nothing, Everywhere(TraceRows, _join_rows)),
            "trace.show": AsyncAction(self._show, OPERATOR, ShowTrace, self._show_everywhere()),
            "trace.stop": AsyncAction(
                self._stop, OPERATOR, StopTrace, Everywhere(TraceRows, _join_rows, quiet=NOT_HERE)
            ),
            "trace.undecodable": AsyncAction(
                self._undecodable, OPERATOR, ListUndecodable, Everywhere(UndecodableMessages, _join_undecodable)
            ),
        }

    def _start_everywhere(self) -> Everywhere[StartTrace, StartedTrace]:
        return Everywhere(StartedTrace, _join_started, prepare=self._with_id, quiet=NOT_HERE)

    def _show_everywhere(self) -> Everywhere[ShowTrace, TraceSeen]:
        return Everywhere(TraceSeen, _join_seen, prepare=self._of_latest, quiet=NOT_HERE)

    def _with_id(self, request: StartTrace) -> StartTrace:
        """Return a trace an id that it has at all gateways: the number of this one and of its start make it unlike theirs."""
        node = self._context.node
        return structs.replace(request, id=f"{node.id}-{node.starts}-{self._traces.new_id()}")

    def _of_latest(self, request: ShowTrace) -> ShowTrace:
        """Name the trace where none is named: the latest of this gateway."""
        return request if request.id else structs.replace(request, id=self._known("").id)

    async def _start(self, request: StartTrace, caller: Caller) -> StartedTrace:
        """Begin a trace; whoever wants a file or what messages say needs to be an admin."""
        kind, value = _subject(request, self._context.settings.operator.country)
        if request.show_content or request.pcap is not None:
            need(caller.role, ADMIN)
        matching, known = await self._matching(kind, value)
        if self._traces.get(request.id) is not None:
            raise conflict("trace.many", "there is a trace of this id already")
        path = self._file_of(request)
        asked = Asked(f"{kind} {mask(value)}", float(request.seconds), caller.name, request.show_content, path)
        try:
            trace = self._traces.start(asked, matching, request.id)
        except TooMany as error:
            raise conflict("trace.many", str(error)) from None
        except FileRefused as error:
            raise conflict("trace.file", str(error)) from None
        return StartedTrace(**structs.asdict(self._told(trace)), known=known)

    def _file_of(self, request: StartTrace) -> Path | None:
        """Return the file to write: several gateways write one each, which may be on one machine."""
        if not request.pcap:
            return None
        path = Path(request.pcap)
        return path.with_name(f"{path.stem}.{self._context.node_name}{path.suffix}") if request.id else path

    async def _list(self, _request: Nothing, _caller: Caller) -> TraceRows:
        """Return all traces that are known."""
        return TraceRows([self._told(trace) for trace in self._traces.all()])

    async def _show(self, request: ShowTrace, caller: Caller) -> TraceSeen:
        """Return what a trace saw."""
        trace = self._known(request.id)
        if trace.asked.show_content:
            need(caller.role, ADMIN)
        node = self._context.node_name
        after = request.after_at.get(node, request.after)
        rows = [_line(line, node) for line in trace.lines if line.number > after]
        return TraceSeen(self._told(trace), rows[:MAX_LINES])

    async def _stop(self, request: StopTrace, caller: Caller) -> TraceRows:
        """End a trace, or all of them; those that ended are told, and their files are whole."""
        wanted = [self._known(request.id)] if request.id else self._traces.all()
        ended = [trace for trace in wanted if trace.ended is None]
        for trace in ended:
            self._traces.end(trace, f"{caller.name} stopped it")
        await self._traces.settle()
        return TraceRows([self._told(trace) for trace in ended])

    async def _undecodable(self, request: ListUndecodable, caller: Caller) -> UndecodableMessages:
        """Return the last messages that could not be read."""
        content, name = request.show_content, request.name
        if content:
            need(caller.role, ADMIN)
        node, found = self._context.node_name, [one for one in self._unread.all() if name in ("", one.name)]
        return UndecodableMessages([_unread(one, node, show_content=content) for one in found])

    def _told(self, trace: Trace) -> TraceRow:
        asked = trace.asked
        return TraceRow(
            id=trace.id,
            subject=asked.subject,
            state="running" if trace.ended is None else "ended",
            since=rfc3339(trace.began),
            until=rfc3339(trace.until),
            ended=trace.ended,
            messages=trace.seen,
            missed=trace.missed,
            content=asked.show_content,
            pcap=str(asked.pcap) if asked.pcap else None,
            by=asked.by,
            node=self._context.node_name,
        )

    def _known(self, trace_id: str) -> Trace:
        found = self._traces.get(trace_id) if trace_id else next(iter(self._traces.all()), None)
        if found is None:
            raise not_found("trace.unknown", "there is no such trace" if trace_id else "there is no trace")
        return found

    async def _matching(self, kind: str, value: str) -> tuple[Matching, bool]:
        if kind == "link":
            names = self._names()
            if value.casefold() not in {name.casefold() for name in names}:
                raise not_found("trace.link", f"there is no link, peer or host {value}; there are: {', '.join(names)}")
            return ByName(value), True
        numbers = await self._context.read_async(lambda connection: _numbers(connection, value))
        forms = {form for number in {value, *numbers} for form in _forms(number)}
        return ByNumbers(forms), bool(numbers)

    def _names(self) -> list[str]:
        peers = [peer.identity for peer in self._node.peers_state()] if self._node is not None else []
        return list(dict.fromkeys([*self._smsc_client.links(), *peers, *self._executor.hosts]))


def _subject(request: StartTrace, country: str) -> tuple[str, str]:
    named = {"msisdn": request.msisdn, "imsi": request.imsi, "link": request.link}
    given = [(kind, value) for kind, value in named.items() if value]
    if len(given) != 1:
        raise bad_request("trace.subject", "give one of msisdn, imsi and link")
    kind, value = given[0]
    try:
        return kind, SUBJECTS[kind](value, country)
    except IdentifierInvalid as error:
        raise bad_request("trace.subject", str(error)) from None


def _numbers(connection: Connection, number: str) -> set[str]:
    """Return all numbers of the line that has this one now, and of a card that is to have it."""
    owner = find(connection, number)
    current = select(lines.c.value).where(lines.c.subscriber_id == owner, lines.c.valid_to.is_(None))
    found = set(connection.execute(current).scalars()) if owner is not None else set()
    card = select(sims.c.iccid, sims.c.imsi).where(or_(sims.c.imsi == number, sims.c.msisdn == number))
    return found.union(*(tuple(row) for row in connection.execute(card)))


def _forms(number: str) -> set[str]:
    """Return the ways in which a number is written: as it is, dialled abroad, dialled at home."""
    forms = {number, f"00{number}"}
    with suppress(phonenumbers.NumberParseException):
        parsed = phonenumbers.parse(f"+{number}")
        if phonenumbers.is_possible_number(parsed):
            home = phonenumbers.national_significant_number(parsed)
            forms |= {home, f"0{home}"}
    return forms


def _join_started(found: Sequence[StartedTrace], silent: Sequence[NodeProblem]) -> StartedTrace:
    """Return a trace that has begun at several gateways: the first one's, and the others beside it."""
    first, *rest = found
    others = [TraceRow(**{name: getattr(row, name) for name in TraceRow.__struct_fields__}) for row in rest]
    return structs.replace(first, known=any(row.known for row in found), others=others, silent=list(silent))


def _join_rows(found: Sequence[TraceRows], silent: Sequence[NodeProblem]) -> TraceRows:
    return TraceRows([row for rows in found for row in rows.rows], list(silent))


def _join_seen(found: Sequence[TraceSeen], silent: Sequence[NodeProblem]) -> TraceSeen:
    """Return what a trace saw at all gateways by time; it runs while it runs at one of them."""
    traces = [seen.trace for seen in found]
    running = [trace for trace in traces if trace.ended is None]
    trace = structs.replace(
        next(iter(running), traces[0]),
        messages=sum(trace.messages for trace in traces),
        missed=sum(trace.missed for trace in traces),
    )
    rows = sorted((row for seen in found for row in seen.rows), key=lambda row: row.at)
    return TraceSeen(trace, rows, list(silent))


def _join_undecodable(found: Sequence[UndecodableMessages], silent: Sequence[NodeProblem]) -> UndecodableMessages:
    return UndecodableMessages([row for rows in found for row in rows.rows], list(silent))


def _line(line: TraceLine, node: str) -> TraceMessage:
    return TraceMessage(
        number=line.number,
        at=rfc3339(line.at),
        way="out" if line.outgoing else "in",
        protocol=line.protocol,
        name=line.name,
        what=line.words.what,
        sequence=line.words.sequence,
        status=line.words.status,
        numbers=line.words.numbers,
        node=node,
    )


def _unread(one: Unread, node: str, *, show_content: bool) -> UndecodableMessage:
    shown = header_only(one.protocol, one.message, show_content=show_content)
    return UndecodableMessage(
        at=rfc3339(one.at),
        protocol=one.protocol,
        name=one.name,
        reason=mask(one.reason),
        octets=len(one.message),
        message=shown.hex(),
        node=node,
    )
