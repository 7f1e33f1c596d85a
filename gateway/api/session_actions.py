"""What `tpo session` asks for: open sessions as the store has them, and requests to their clients (RAR, ASR)."""

import asyncio
from http import HTTPStatus
from typing import Any

from sqlalchemy import Connection

from gateway.api import parameters
from gateway.api.actions import OPERATOR, VIEWER, AsyncAction, Caller, Params
from gateway.api.problems import Problem, bad_request, conflict, not_found
from gateway.api.requests import MAX_ROWS
from gateway.charging import queries as charging_queries
from gateway.charging.gy.reauth_abort import SessionCommand, SessionRequests
from gateway.charging.session import Session
from gateway.context import GatewayContext
from gateway.privacy.masks import mask
from gateway.store.fitting import LONGEST_INDEXED, misfit
from gateway.subscribers import queries as subscriber_queries


class SessionActions:
    """What may be asked about credit-control sessions."""

    def __init__(self, context: GatewayContext, session_requests: SessionRequests | None) -> None:
        """Take the open gateway and the way to the sessions' clients; there is none where Diameter is not configured."""
        self._context, self._session_requests = context, session_requests

    def actions(self) -> dict[str, AsyncAction]:
        """Give every action by its name."""
        return {
            "session.list": AsyncAction(self.list, VIEWER),
            "session.show": AsyncAction(self.show, VIEWER),
            "session.reauth": AsyncAction(self.reauthorise, OPERATOR),
            "session.abort": AsyncAction(self.abort, OPERATOR),
        }

    async def list(self, params: Params, caller: Caller) -> dict[str, Any]:
        """Tell of sessions, newest first: {limit, number, peer, closed} -> {rows}; a viewer sees numbers masked."""
        limit, closed = parameters.limit(params, 20, MAX_ROWS), parameters.flag(params, "closed")
        number = (parameters.text_or_none(params, "number") or "").lstrip("+")
        peer = parameters.text_or_none(params, "peer") or ""

        def look(connection: Connection) -> list[dict[str, Any]]:
            owner = subscriber_queries.find(connection, number) if number else None
            if number and owner is None:
                raise not_found("subscriber.unknown", "no subscriber has this number now")
            return charging_queries.latest(connection, limit, closed=closed, subscriber_id=owner, peer=peer)

        rows = await asyncio.to_thread(self._context.read, look)
        return {"rows": [_for(caller.role, row) for row in rows]}

    async def show(self, params: Params, caller: Caller) -> dict[str, Any]:
        """Tell everything of one session: {id}, its Session-Id or our number for it."""
        name = _name(params)

        def look(connection: Connection) -> dict[str, Any] | None:
            session = charging_queries.find(connection, name)
            return None if session is None else charging_queries.show(connection, session)

        found = await asyncio.to_thread(self._context.read, look)
        if found is None:
            raise not_found("session.unknown", "there is no session with this Session-Id or number")
        return _for(caller.role, found)

    async def reauthorise(self, params: Params, _caller: Caller) -> dict[str, Any]:
        """Have a session reported now: {id} -> {id, session_id, request, result, result_code, detail, closed}."""
        return await self._ask(SessionCommand.REAUTHORISE, _name(params))

    async def abort(self, params: Params, _caller: Caller) -> dict[str, Any]:
        """Have a session ended: {id}, answered as `reauthorise` is."""
        return await self._ask(SessionCommand.ABORT, _name(params))

    async def _ask(self, demand: SessionCommand, name: str) -> dict[str, Any]:
        if self._session_requests is None:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "diameter.absent", "this gateway speaks no Diameter")
        session: Session | None = await asyncio.to_thread(self._context.read, lambda c: charging_queries.find(c, name))
        if session is None:
            raise not_found("session.unknown", "there is no session with this Session-Id or number")
        if session.closed_at is not None:
            raise conflict("session.closed", "this session is over; there is nobody to ask")
        reply = await self._session_requests.ask(demand, session)
        return {
            "id": str(session.id),
            "session_id": session.session_id,
            "peer": session.peer,
            "request": demand.value,
            "result": reply.fate.value,
            "result_code": reply.result_code,
            "detail": reply.detail or None,
            "closed": reply.closed,
        }


def _name(params: Params) -> str:
    name = params.get("id")
    if not isinstance(name, str) or not name or misfit(name, LONGEST_INDEXED) is not None:
        raise bad_request("session.id", "id: give a Session-Id, or the number that `tpo session list` shows")
    return name


def _for(role: str, row: dict[str, Any]) -> dict[str, Any]:
    return row if role != VIEWER or row["msisdn"] is None else {**row, "msisdn": mask(row["msisdn"])}
