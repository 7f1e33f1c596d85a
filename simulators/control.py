"""The small HTTP port, on loopback, by which a running simulation is steered: its faults, its customers' texts, its figures.

GET  /summary                     everything that was counted
PUT  /faults    {"smsc": {"slow": 0.1}, "host": {}}      the shares of each service that is named, from now on
POST /texts     {"from": "447700900101", "to": "70070", "text": "BALANCE"}
GET  /texts?number=447700900101   what this handset got
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web

from simulators.fault_rates import FaultsUnreadable, check_shares
from simulators.host_api import HostApi
from simulators.host_faults import Fault
from simulators.smsc import Smsc
from simulators.smsc_faults import SmscFault

LOOPBACK: Final = "127.0.0.1"
MAX_BODY: Final = 64 * 1024


class NotThere(ValueError):
    """A service that this simulation has not."""


class _Text(msgspec.Struct, forbid_unknown_fields=True):
    source: str = msgspec.field(name="from")
    to: str
    text: str


class Control:
    """Steers the services that there are; `summary` gives the figures of all."""

    def __init__(self, summary: Callable[[], object], *, smsc: Smsc | None = None, host: HostApi | None = None) -> None:
        self.port = 0
        self._summary, self._smsc, self._host = summary, smsc, host
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self.port}"

    async def start(self, port: int = 0) -> None:
        """Listen; OSError if the port can't be had."""
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_get("/summary", self._summary_of)
        app.router.add_put("/faults", self._set_faults)
        app.router.add_post("/texts", self._text_in)
        app.router.add_get("/texts", self._heard)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, LOOPBACK, port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner, self.port = runner, int(runner.addresses[0][1])

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def steer(self, shares: dict[str, dict[str, float]]) -> None:
        """Set the shares of `smsc` and `host`, where they are named; FaultsUnreadable or NotThere, and nothing is set."""
        unknown = set(shares) - {"smsc", "host"}
        if unknown:
            raise NotThere(f"{min(unknown)!r} is none of smsc, host")
        if ("smsc" in shares and self._smsc is None) or ("host" in shares and self._host is None):
            raise NotThere("this simulation does not run what is to be steered")
        smsc = check_shares(shares.get("smsc", {}).items(), SmscFault)
        host = check_shares(shares.get("host", {}).items(), Fault)
        if self._smsc is not None and "smsc" in shares:
            self._smsc.faults.steer(smsc)
        if self._host is not None and "host" in shares:
            self._host.faults.steer(host)

    async def _summary_of(self, _request: web.Request) -> web.Response:
        return web.json_response(self._summary())

    async def _set_faults(self, request: web.Request) -> web.Response:
        try:
            self.steer(msgspec.json.decode(await request.read(), type=dict[str, dict[str, float]]))
        except (msgspec.MsgspecError, FaultsUnreadable, NotThere) as error:
            return _refuse(str(error))
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _text_in(self, request: web.Request) -> web.Response:
        if self._smsc is None:
            return _refuse("this simulation has no message centre")
        if request.content_type != "application/json":  # which no page of a browser can send here unasked
            return _refuse("send application/json")
        try:
            text = msgspec.json.decode(await request.read(), type=_Text)
        except msgspec.MsgspecError as error:
            return _refuse(str(error))
        self._smsc.text_in(text.source, text.to, text.text)
        return web.Response(status=HTTPStatus.ACCEPTED)

    async def _heard(self, request: web.Request) -> web.Response:
        if self._smsc is None:
            return _refuse("this simulation has no message centre")
        return web.json_response(self._smsc.handsets.heard(request.query.get("number", "")))


def _refuse(why: str) -> web.Response:
    return web.json_response({"title": why, "status": 400}, status=400, content_type="application/problem+json")
