"""Actions about charging sessions: listed, shown, and asked to report or to end (RAR, ASR)."""

from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Final, TypeVar

import msgspec
from sqlalchemy import Connection

from gateway.api.action import AsyncAction, Elsewhere, RunningAction, Somewhere
from gateway.api.answers.nodes import NodeProblem
from gateway.api.answers.sessions import SessionReply, Sessions
from gateway.api.callers import MAX_ACTOR, OPERATOR, VIEWER, Caller
from gateway.api.line_numbers import subscriber_of
from gateway.api.problems import Problem, bad_request, conflict, not_found
from gateway.api.requests.fields import MAX_ROWS, page_size
from gateway.api.requests.sessions import SESSION_ID, ListSessions, NameSession
from gateway.charging import queries as charging_queries
from gateway.charging.gy.reauth_abort import AskByOthers, CommandResult, Reply, SessionCommand, SessionRequests
from gateway.charging.session import Session
from gateway.charging.views import SessionRow, SessionView
from gateway.context import GatewayContext
from gateway.privacy.masks import mask
from gateway.store.fitting import LONGEST_INDEXED, misfit
from gateway.store.nodes import latest_number

Row = TypeVar("Row", bound=SessionRow)
"""Characters of who did something, as history keeps it."""
ACTIONS_OF: Final = {SessionCommand.REAUTHORISE: "session.reauth", SessionCommand.ABORT: "session.abort"}


class SessionActions:
    """What may be asked about credit-control sessions."""

    def __init__(self, context: GatewayContext, session_requests: SessionRequests | None) -> None:
        """Take the open gateway and the way to the sessions' clients; there is none where Diameter is not configured."""
        self._context, self._session_requests = context, session_requests

    def actions(self) -> dict[str, RunningAction]:
        """Return every action by its name."""
        return {
            "session.list": AsyncAction(self.list, VIEWER, ListSessions),
            "session.show": AsyncAction(self.show, VIEWER, NameSession),
            "session.reauth": self._action(SessionCommand.REAUTHORISE),
            "session.abort": self._action(SessionCommand.ABORT),
        }

    def _action(self, demand: SessionCommand) -> AsyncAction[NameSession]:
        """Make the action: of the gateway that the session reported to last, else of any that reaches its client."""
        where = Somewhere(SessionReply, first=self._node_of, otherwise=partial(self._ask_in_vain, demand))
        return AsyncAction(partial(self._ask, demand), OPERATOR, NameSession, where)

    async def list(self, request: ListSessions, caller: Caller) -> Sessions:
        """Return sessions, newest first; a viewer sees numbers masked."""
        limit, number = page_size(request.limit, 20, MAX_ROWS), request.number
        country = self._context.settings.operator.country

        def look(connection: Connection) -> list[SessionRow]:
            owner = subscriber_of(connection, number, country) if number else None
            found = charging_queries.latest(
                connection, limit, closed=request.closed, subscriber_id=owner, peer=request.peer
            )
            if request.peer and not found:
                self._check_peer(connection, request.peer)
            return found

        rows = await self._context.read_async(look)
        return Sessions([_for(caller.role, row) for row in rows])

    def _check_peer(self, connection: Connection, peer: str) -> None:
        """Refuse a peer that is not in the settings, and that no session was ever of."""
        diameter = self._context.settings.diameter
        known = [each.identity for each in diameter.peers] if diameter else []
        if peer not in known and not charging_queries.latest(connection, 1, closed=True, peer=peer):
            there = ", ".join(known) or "none"
            raise not_found("peer.unknown", f"there is no peer {peer[:64]!r}, and no session of it; there are: {there}")

    async def show(self, request: NameSession, caller: Caller) -> SessionView:
        """Return everything of one session."""
        name = _name(request)

        def look(connection: Connection) -> SessionView | None:
            session = charging_queries.find(connection, name)
            return None if session is None else charging_queries.show(connection, session)

        found: SessionView | None = await self._context.read_async(look)
        if found is None:
            raise not_found("session.unknown", "there is no session with this Session-Id or number")
        return _for(caller.role, found)

    async def _node_of(self, request: NameSession) -> int | None:
        name = _name(request)

        def look(connection: Connection) -> int | None:
            session = charging_queries.find(connection, name)
            return None if session is None else latest_number(connection, session.node)

        return await self._context.read_async(look)

    async def _ask(self, demand: SessionCommand, request: NameSession, _caller: Caller) -> SessionReply:
        """Have a session reported now, or ended, if this gateway reaches its client."""
        requests, session = await self._open(request)
        if not requests.reaches(session):
            detail = f"the peer {session.peer} is not connected to {self._context.node_name}"
            raise Elsewhere(HTTPStatus.SERVICE_UNAVAILABLE, "session.elsewhere", detail)
        return self._told(demand, session, await requests.ask(demand, session))

    async def _ask_in_vain(
        self, demand: SessionCommand, request: NameSession, _caller: Caller, silent: Sequence[NodeProblem]
    ) -> SessionReply:
        """Ask though nobody reaches the client: what follows from that is done, and says which gateways were not heard."""
        requests, session = await self._open(request)
        reply = await requests.ask(demand, session)
        words = dict.fromkeys([reply.detail, *(each.detail for each in silent)])
        detail = "; ".join(filter(None, words))
        return self._told(demand, session, msgspec.structs.replace(reply, detail=detail))

    async def _open(self, request: NameSession) -> tuple[SessionRequests, Session]:
        """Find a session that its client may be asked of, and the way to the clients."""
        if self._session_requests is None:
            detail = "this gateway speaks no Diameter"
            raise Elsewhere(HTTPStatus.SERVICE_UNAVAILABLE, "diameter.absent", detail)
        name = _name(request)
        session: Session | None = await self._context.read_async(lambda c: charging_queries.find(c, name))
        if session is None:
            raise not_found("session.unknown", "there is no session with this Session-Id or number")
        if session.closed_at is not None:
            raise conflict("session.closed", "this session is over; there is nobody to ask")
        return self._session_requests, session

    def _told(self, demand: SessionCommand, session: Session, reply: Reply) -> SessionReply:
        return SessionReply(
            id=str(session.id),
            session_id=session.session_id,
            peer=session.peer,
            request=demand.value,
            result=reply.fate.value,
            result_code=reply.result_code,
            detail=reply.detail or None,
            closed=reply.closed,
            node=self._context.node_name,
        )


def by_others(actions: Mapping[str, RunningAction], name: str) -> AskByOthers:
    """Return the way by which a gateway has sessions asked that it does not reach itself: its actions, done where they belong.

    `name` is the gateway that asks, as it stands beside the action where it is done.
    """
    caller = Caller(f"gateway:{name}"[:MAX_ACTOR], OPERATOR)

    async def ask(demand: SessionCommand, session: Session) -> Reply:
        try:
            told = await actions[ACTIONS_OF[demand]].perform({"id": session.session_id}, caller)
        except Problem as problem:  # it is over meanwhile, or the gateway that has it failed
            return Reply(session.session_id, CommandResult.UNREACHABLE, detail=problem.detail, sent=False)
        assert isinstance(told, SessionReply)
        result = CommandResult(told.result)
        sent = result is not CommandResult.UNREACHABLE
        return Reply(session.session_id, result, told.result_code, told.detail or "", sent=sent, closed=told.closed)

    return ask


def _name(request: NameSession) -> str:
    if misfit(request.id, LONGEST_INDEXED) is not None:
        raise bad_request("session.id", f"id: give {SESSION_ID}")
    return request.id


def _for(role: str, row: Row) -> Row:
    return row if role != VIEWER or row.msisdn is None else msgspec.structs.replace(row, msisdn=mask(row.msisdn))
