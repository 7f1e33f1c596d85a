"""The host network in small: a PGW with light traffic beside the gateway, and a live line of what it comes to."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from contextlib import nullcontext, suppress
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Final

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from simulators.beside import Beside, CommandRefused, Figures
from simulators.customers import Customer, CustomersUnreadable, read_customers
from simulators.ending import ExitCode, fail
from simulators.pgw import Pgw
from simulators.profiles import STANDARD
from simulators.report import octets
from simulators.traffic import Traffic, drive

SAMPLE: Final = "sample-subscribers.csv"
STATUS_SECONDS: Final = 1.0
FIGURES_SECONDS: Final = 3.0
"""How often the books are asked: each time costs a process."""
CONCURRENCY: Final = 200
_STOPPERS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Network:
    """One run of `tpo simulate network`."""

    def __init__(self, config: Path, subscribers: Path | None, *, rate: float, seed: int, duration: float) -> None:
        self._config, self._subscribers = config, subscribers or config.parent / SAMPLE
        self._rate, self._seed, self._duration = rate, seed, duration
        self._stop = asyncio.Event()
        self._began = time.monotonic()
        self._figures: Figures | None = None

    async def run(self, *, with_gateway: bool) -> None:
        """Start what is to be started, run until the end is asked for, stop all in order; ends by typer.Exit on failure."""
        loop = asyncio.get_running_loop()
        for number in _STOPPERS:
            loop.add_signal_handler(number, self._stop.set)
        if self._duration:
            loop.call_later(self._duration, self._stop.set)
        customers = self._read_customers()
        try:
            gateway = await Beside.read(self._config)
        except CommandRefused as error:
            sys.stderr.write(f"{error}\n")
            raise typer.Exit(error.exit_code) from None
        _check(gateway, self._config)
        try:
            await self._run_beside(gateway, customers, with_gateway=with_gateway)
        except CommandRefused as error:
            fail(str(error), where=str(gateway.log_file) if with_gateway else "", exit_code=error.exit_code)
        finally:
            code = await gateway.stop()
        if code:
            fail(f"the gateway ended with {code}", where=str(gateway.log_file), exit_code=code)
        if with_gateway:
            _say("the gateway has stopped")

    async def _run_beside(self, gateway: Beside, customers: list[Customer], *, with_gateway: bool) -> None:
        if with_gateway:
            _say("starting the gateway ...")
            await gateway.start()
            _say(f"the gateway is ready; its log is {gateway.log_file}")
        counts = await gateway.import_lines(self._subscribers)
        _say(f"{self._subscribers}: {counts['created']} lines imported, {counts['unchanged']} were known")
        assert gateway.diameter is not None
        assert gateway.peer is not None
        host, realm = gateway.peer
        pgw = Pgw(gateway.diameter, random=Random(), origin_host=host, origin_realm=realm)  # noqa: S311  (jitter, no secret)
        if not await pgw.start():
            await pgw.stop()
            where = "{}:{}".format(*gateway.diameter)
            fail(f"the PGW cannot connect: {pgw.last_failure}", where=where, exit_code=ExitCode.UNREACHABLE)
        _say(_to_try(self._config, customers[0]))
        await self._run_traffic(gateway, pgw, customers)

    async def _run_traffic(self, gateway: Beside, pgw: Pgw, customers: list[Customer]) -> None:
        traffic = Traffic(customers, STANDARD, Random(self._seed))  # noqa: S311  (traffic, no secret)
        status = asyncio.create_task(self._show_status(gateway, pgw))
        watch = asyncio.create_task(self._watch(gateway))
        try:
            await drive(pgw, traffic, rate=self._rate, sessions=None, concurrency=CONCURRENCY, stop=self._stop)
        finally:
            for task in (status, watch):
                task.cancel()
            await asyncio.gather(status, watch, return_exceptions=True)
            with suppress(CommandRefused):
                self._figures = await gateway.figures()
            _say(self._line(pgw))
            await pgw.stop()

    async def _watch(self, gateway: Beside) -> None:
        """Stop when the gateway that was started here ends by itself; its exit code is told at the end."""
        await gateway.ended()
        self._stop.set()

    async def _show_status(self, gateway: Beside, pgw: Pgw) -> None:
        """Write the status once a second: in place on a terminal, else a line each."""
        console = Console(file=sys.stdout)
        reading = asyncio.create_task(self._keep_reading(gateway))
        try:
            with (
                Live(console=console, auto_refresh=False, transient=True)
                if console.is_terminal
                else nullcontext() as live
            ):
                while True:
                    if live is None:
                        _say(self._line(pgw))
                    else:
                        live.update(Text(self._line(pgw)), refresh=True)
                    await asyncio.sleep(STATUS_SECONDS)
        finally:
            reading.cancel()

    async def _keep_reading(self, gateway: Beside) -> None:
        while True:
            try:
                self._figures = await gateway.figures()
            except CommandRefused:
                self._figures = None
            await asyncio.sleep(FIGURES_SECONDS)

    def _line(self, pgw: Pgw) -> str:
        return _line(pgw, self._figures, time.monotonic() - self._began)

    def _read_customers(self) -> list[Customer]:
        try:
            return read_customers(self._subscribers)
        except CustomersUnreadable as error:
            fail(str(error), to_do="name a file of lines by --subscribers")


def _line(pgw: Pgw, figures: Figures | None, seconds: float) -> str:
    counters = pgw.counters
    parts = [
        f"{seconds:.0f} s",
        f"sessions {counters.open} open, {counters.ended} ended",
        octets(counters.octets_acknowledged),
    ]
    if counters.out_of_credit:
        parts.append(f"{counters.out_of_credit} out of credit")
    if not pgw.up:
        parts.append(f"gateway not connected: {pgw.last_failure}")
    if figures is None:
        parts.append("the books have not answered yet")
    else:
        parts.append("charged " + (_money(figures.charged) or "nothing yet"))
        tenth = ", ".join(
            f"{cause} {_money({currency: amount})}" for (cause, currency), amount in sorted(figures.tenth.items())
        )
        parts.append(f"the tenth: {tenth or 'nothing yet'}")
    return " | ".join(parts)


def _money(amounts: dict[str, Decimal]) -> str:
    return " + ".join(f"{amount:.2f} {currency}" for currency, amount in sorted(amounts.items()))


def _to_try(config: Path, customer: Customer) -> str:
    option = "" if config == Path("config/gateway.yaml") else f" --config {config}"
    return "\n".join(
        (
            "try in another terminal (Ctrl-C here ends it all):",
            f"  tpo{option} subscriber show {customer.msisdn}",
            f"  tpo{option} subscriber topup {customer.msisdn} 10.00 --reference shop-1",
            f"  tpo{option} ledger check",
        )
    )


def _check(gateway: Beside, config: Path) -> None:
    if gateway.diameter is None:
        fail("the gateway listens nowhere without TLS", where=f"{config}: diameter.listen", to_do="add an address")
    if gateway.peer is None:
        fail(
            "no peer is to connect to the gateway", where=f"{config}: diameter.peers", to_do="add one without `connect`"
        )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
