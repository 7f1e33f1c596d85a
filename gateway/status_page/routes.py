"""The status page in the running gateway: its route, its clock, and the troubles that it is told of."""

import asyncio
from typing import Final

from aiohttp import web

from gateway.background import Background
from gateway.status_page.collect import StatusCollector
from gateway.status_page.rendering import POLICY, document
from gateway.status_page.sampling import SECONDS

PATH: Final = "/"
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class StatusPage:
    """The page of one gateway; it shows ten minutes of rates from `start` on."""

    def __init__(self, gatherer: StatusCollector, background: Background | None = None) -> None:
        """Take what gathers the figures."""
        self._gatherer, self._background = gatherer, background or Background()
        self._tasks: list[asyncio.Task[None]] = []

    def routes(self) -> list[web.RouteDef]:
        """Return the page's route."""
        return [web.get(PATH, self._get)]

    def start(self) -> None:
        """Begin to take samples."""
        self._tasks = [self._background.keep("status page: samples", self._sample)]

    def stop(self) -> None:
        """Take no more samples."""
        for task in self._tasks:
            task.cancel()

    async def _get(self, _request: web.Request) -> web.Response:
        # What came from outside may hold what UTF-8 has no form for; it is shown as a question mark.
        body = document(await self._gatherer.view()).encode("utf-8", "replace")
        return web.Response(body=body, content_type="text/html", charset="utf-8", headers=HEADERS)

    async def _sample(self) -> None:
        while True:
            self._gatherer.sample()
            await asyncio.sleep(SECONDS)
