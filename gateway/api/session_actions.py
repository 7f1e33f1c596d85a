"""What `tpo session` asks for: open sessions as the store has them, and requests to their clients (RAR, ASR)."""

from http import HTTPStatus
from typing import TypeVar

import msgspec
from sqlalchemy import Connection

from gateway.api.actions import OPERATOR, VIEWER, AsyncAction, RunningAction
from gateway.api.answers import SessionReply, Sessions
from gateway.api.callers import Caller
from gateway.api.problems import Problem, bad_request, conflict, not_found
from gateway.api.requests import MAX_ROWS, SESSION_ID, ListSessions, NameSession, page_size
from gateway.charging import queries as charging_queries
from gateway.charging.gy.reauth_abort import SessionCommand, SessionRequests
from gateway.charging.session import Session
from gateway.charging.views import SessionRow, SessionView
from gateway.context import GatewayContext
from gateway.privacy.masks import mask
from gateway.store.fitting import LONGEST_INDEXED, misfit
from gateway.subscribers import queries as subscriber_queries

Row = TypeVar("Row", bound=SessionRow)


class SessionActions:
    """What may be asked about credit-control sessions."""

    def __init__(self, context: GatewayContext, session_requests: SessionRequests | None) -> None:
        """Take the open gateway and the way to the sessions' clients; there is none where Diameter is not configured."""
        self._context, self._session_requests = context, session_requests

    def actions(self) -> dict[str, RunningAction]:
        """Give every action by its name."""
        return {
            "session.list": AsyncAction(self.list, VIEWER, ListSessions),
            "session.show": AsyncAction(self.show, VIEWER, NameSession),
            "session.reauth": AsyncAction(self.reauthorise, OPERATOR, NameSession),
            "session.abort": AsyncAction(self.abort, OPERATOR, NameSession),
        }

    async def list(self, request: ListSessions, caller: Caller) -> Sessions:
        """Tell of sessions, newest first; a viewer sees numbers masked."""
        limit, number = page_size(request.limit, 20, MAX_ROWS), request.number.lstrip("+")

        def look(connection: Connection) -> list[SessionRow]:
            owner = subscriber_queries.find(connection, number) if number else None
            if number and owner is None:
                raise not_found("subscriber.unknown", "no subscriber has this number now")
            return charging_queries.latest(
                connection, limit, closed=request.closed, subscriber_id=owner, peer=request.peer
            )

        rows = await self._context.read_async(look)
        return Sessions([_for(caller.role, row) for row in rows])

    async def show(self, request: NameSession, caller: Caller) -> SessionView:
        """Tell everything of one session."""
        name = _name(request)

        def look(connection: Connection) -> SessionView | None:
            session = charging_queries.find(connection, name)
            return None if session is None else charging_queries.show(connection, session)

        found: SessionView | None = await self._context.read_async(look)
        if found is None:
            raise not_found("session.unknown", "there is no session with this Session-Id or number")
        return _for(caller.role, found)

    async def reauthorise(self, request: NameSession, _caller: Caller) -> SessionReply:
        """Have a session reported now."""
        return await self._ask(SessionCommand.REAUTHORISE, _name(request))

    async def abort(self, request: NameSession, _caller: Caller) -> SessionReply:
        """Have a session ended."""
        return await self._ask(SessionCommand.ABORT, _name(request))

    async def _ask(self, demand: SessionCommand, name: str) -> SessionReply:
        if self._session_requests is None:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "diameter.absent", "this gateway speaks no Diameter")
        session: Session | None = await self._context.read_async(lambda c: charging_queries.find(c, name))
        if session is None:
            raise not_found("session.unknown", "there is no session with this Session-Id or number")
        if session.closed_at is not None:
            raise conflict("session.closed", "this session is over; there is nobody to ask")
        reply = await self._session_requests.ask(demand, session)
        return SessionReply(
            id=str(session.id),
            session_id=session.session_id,
            peer=session.peer,
            request=demand.value,
            result=reply.fate.value,
            result_code=reply.result_code,
            detail=reply.detail or None,
            closed=reply.closed,
        )


def _name(request: NameSession) -> str:
    if misfit(request.id, LONGEST_INDEXED) is not None:
        raise bad_request("session.id", f"id: give {SESSION_ID}")
    return request.id


def _for(role: str, row: Row) -> Row:
    return row if role != VIEWER or row.msisdn is None else msgspec.structs.replace(row, msisdn=mask(row.msisdn))
