"""Audits of a month over HTTP: the commitment, a pack of bills that a seed draws, and its octets, for an auditor with a token.

A pack is kept for a while in memory, so that it can be fetched by its SHA-256; the same question makes the same octets again.
"""

from base64 import b64decode
from collections import OrderedDict
from http import HTTPStatus
from typing import Final

from aiohttp import web

from gateway.api.actions.charity_evidence import audit_month, commit_month
from gateway.api.actions.charity_payments import record_look
from gateway.api.answers.charity import AuditMade
from gateway.api.callers import JOURNAL
from gateway.api.conversion import to_request
from gateway.api.problems import conflict, not_found
from gateway.api.requests.charity import AuditSample, CommitMonth, NamePack
from gateway.api.web_requests import UNKEPT, caller_of, json_response, read_object
from gateway.context import GatewayContext

KEPT: Final = 2
"""Packs that are kept at a time, the latest ones."""
KEPT_SECONDS: Final = 900.0
GZIP: Final = "application/gzip"


class AuditRoutes:
    """The part of the HTTP interface that makes evidence packs; who asks needs the right `causes`."""

    def __init__(self, context: GatewayContext) -> None:
        """Take the open gateway."""
        self._context, self._is_busy = context, False
        self._packs: OrderedDict[str, tuple[float, str, bytes]] = OrderedDict()
        """By SHA-256 until when a pack is kept (monotonic seconds), its name, and its octets."""

    def routes(self) -> list[web.RouteDef]:
        """Return every route."""
        return [
            web.get("/v1/charity/commitments/{period}", self._commit),
            web.post("/v1/charity/audits", self._make),
            web.get("/v1/charity/audits/{sha256}", self._fetch),
        ]

    async def _commit(self, request: web.Request) -> web.Response:
        caller = caller_of(request, JOURNAL)
        wanted = to_request({"period": request.match_info["period"]}, CommitMonth)
        return json_response(await self._context.in_thread(commit_month, self._context, wanted, caller))

    async def _make(self, request: web.Request) -> web.Response:
        """Make a pack, one at a time: each reads every bill of its month."""
        caller = caller_of(request, JOURNAL)
        wanted = to_request(await read_object(request), AuditSample)
        if self._is_busy:
            raise conflict("evidence.busy", "another pack is being made: ask again when it is done")
        self._is_busy = True
        try:
            made = await self._context.in_thread(audit_month, self._context, wanted, caller)
        finally:
            self._is_busy = False
        octets = b64decode(made.pack)
        self._keep(made.sha256, f"{made.name}.tar.gz", octets)
        answer = AuditMade(
            period=made.period,
            bills=made.bills,
            of=made.of,
            unsealed=made.unsealed,
            claim=made.claim,
            key=made.key,
            sha256=made.sha256,
            octets=len(octets),
            kept_seconds=int(KEPT_SECONDS),
        )
        response = json_response(answer, HTTPStatus.CREATED)
        response.headers["Location"] = f"/v1/charity/audits/{made.sha256}"
        return response

    async def _fetch(self, request: web.Request) -> web.Response:
        caller = caller_of(request, JOURNAL)
        named = to_request(dict(request.match_info), NamePack)
        await self._context.in_thread(record_look, self._context, caller, "charity.audit.fetch")
        self._forget()
        kept = self._packs.get(named.sha256)
        if kept is None:
            raise not_found("evidence.unknown", "no such pack is kept: make it again, which gives the same octets")
        _, name, octets = kept
        headers = {**UNKEPT, "Content-Disposition": f'attachment; filename="{name}"'}
        return web.Response(body=octets, content_type=GZIP, headers=headers)

    def _keep(self, sha256: str, name: str, octets: bytes) -> None:
        self._packs.pop(sha256, None)
        self._packs[sha256] = self._context.monotonic() + KEPT_SECONDS, name, octets
        self._forget()

    def _forget(self) -> None:
        """Let go what was kept for long enough, and all but the latest."""
        now = self._context.monotonic()
        for sha256, (until, _, _) in list(self._packs.items()):
            if until <= now or len(self._packs) > KEPT:
                del self._packs[sha256]
