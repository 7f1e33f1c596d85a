"""The live line of `tpo simulate network`: what goes on, and what the books say."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import nullcontext
from decimal import Decimal
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.text import Text

from simulators.gateway_process import CommandRefused, Figures, GatewayProcess
from simulators.pgw import Pgw
from simulators.report import octets
from simulators.smsc import Smsc

STATUS_SECONDS: Final = 1.0
FIGURES_SECONDS: Final = 3.0
"""How often the books are asked: each time costs a process."""


class StatusLine:
    """Written once a second: in place on a terminal, else a line each."""

    def __init__(self, gateway: GatewayProcess, pgw: Pgw, smsc: Smsc | None) -> None:
        self._gateway, self._pgw, self._smsc = gateway, pgw, smsc
        self._began = time.monotonic()
        self._figures: Figures | None = None

    async def run(self) -> None:
        """Show it until cancelled."""
        console = Console(file=sys.stdout)
        reading = asyncio.create_task(self._keep_reading())
        try:
            with (
                Live(console=console, auto_refresh=False, transient=True)
                if console.is_terminal
                else nullcontext() as live
            ):
                while True:
                    if live is None:
                        say(str(self))
                    else:
                        live.update(Text(str(self)), refresh=True)
                    await asyncio.sleep(STATUS_SECONDS)
        finally:
            reading.cancel()

    async def read(self) -> None:
        """Ask the books."""
        try:
            self._figures = await self._gateway.figures()
        except CommandRefused:
            self._figures = None

    def __str__(self) -> str:
        counters = self._pgw.counters
        parts = [
            f"{time.monotonic() - self._began:.0f} s",
            f"sessions {counters.open} open, {counters.ended} ended",
            octets(counters.octets_acknowledged),
        ]
        if self._smsc is not None:
            parts.append(f"texts {self._smsc.counters['texts_in']} in, {self._smsc.counters['arrived']} out")
        if counters.out_of_credit:
            parts.append(f"{counters.out_of_credit} out of credit")
        if not self._pgw.up:
            parts.append(f"gateway not connected: {self._pgw.last_failure}")
        return " | ".join(parts + _books(self._figures))

    async def _keep_reading(self) -> None:
        while True:
            await self.read()
            await asyncio.sleep(FIGURES_SECONDS)


def say(text: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _books(figures: Figures | None) -> list[str]:
    if figures is None:
        return ["the books have not answered yet"]
    tenth = ", ".join(
        f"{cause} {_money({currency: amount})}" for (cause, currency), amount in sorted(figures.tenth.items())
    )
    return ["charged " + (_money(figures.charged) or "nothing yet"), f"the tenth: {tenth or 'nothing yet'}"]


def _money(amounts: dict[str, Decimal]) -> str:
    return " + ".join(f"{amount:.2f} {currency}" for currency, amount in sorted(amounts.items()))
