"""The host network in small beside the gateway: a PGW, a message centre, an activation API, light traffic, a live line."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from random import Random
from typing import Final

from simulators.customers import Customer, CustomersUnreadable, read_customers
from simulators.exit import ExitCode, fail
from simulators.gateway_process import CommandRefused, GatewayProcess
from simulators.pgw import Pgw
from simulators.profiles import PROFILES
from simulators.report import summary
from simulators.scenario import Scenario
from simulators.services import AddressTaken, Services
from simulators.standalone import keep_phases
from simulators.status_line import StatusLine, say
from simulators.traffic import Mix, Traffic, drive, text

SAMPLE: Final = "sample-subscribers.csv"
CARDS: Final = "sample-sims.csv"
NEW_LINE: Final = ("8944100000000001990", "447700900199", "payg-gb", "wateraid")
"""The card of the sample file that is activated: ICCID, number, plan, cause."""
CONCURRENCY: Final = 200
_STOPPERS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Network:
    """One run of `tpo simulate network`."""

    def __init__(self, config: Path, subscribers: Path | None, scenario: Scenario, control_port: int = 0) -> None:
        self._config, self._subscribers = config, subscribers or config.parent / SAMPLE
        self._scenario, self._control_port = scenario, control_port
        self._stop = asyncio.Event()
        self._began = time.monotonic()
        self._figures: dict[str, object] = {}
        self.summary: dict[str, object] = {}
        """Everything that was counted, by service, once the run is over."""

    async def run(self, *, with_gateway: bool) -> None:
        """Start what is to be started, run until the end is asked for, stop all in order; ends by exit.Failed on failure."""
        loop = asyncio.get_running_loop()
        for number in _STOPPERS:
            loop.add_signal_handler(number, self._stop.set)
        if self._scenario.duration:
            loop.call_later(self._scenario.duration, self._stop.set)
        customers = self._read_customers()
        try:
            gateway = await GatewayProcess.read(self._config)
        except CommandRefused as error:
            fail(str(error), where=str(self._config), exit_code=error.exit_code)
        _check(gateway, self._config)
        places = Services(gateway, self._scenario, self._figures)
        try:
            await places.start(self._control_port)
            await self._run_beside(gateway, places, customers, with_gateway=with_gateway)
        except AddressTaken as error:
            fail(str(error), where=str(self._config), to_do="end what listens there, or choose another port")
        except CommandRefused as error:
            fail(str(error), where=str(gateway.log_file) if with_gateway else "", exit_code=error.exit_code)
        finally:
            self.summary = places.summary()
            code = await gateway.stop()
            await places.stop()
        if code:
            ended = f"the gateway was ended by signal {-code}" if code < 0 else f"the gateway ended with {code}"
            fail(ended, where=str(gateway.log_file), exit_code=max(code, 1))
        if with_gateway:
            say("the gateway has stopped")

    async def _run_beside(
        self, gateway: GatewayProcess, places: Services, customers: list[Customer], *, with_gateway: bool
    ) -> None:
        if with_gateway:
            say("starting the gateway ...")
            await gateway.start()
            say(f"the gateway is ready; its log is {gateway.log_file}")
        counts = await gateway.import_lines(self._subscribers)
        say(f"{self._subscribers}: {counts['created']} lines imported, {counts['unchanged']} were known")
        await self._activate(gateway, places)
        pgw = await self._connect(gateway)
        say(_to_try(self._config, customers[0], gateway, places))
        try:
            await self._run_traffic(gateway, places, pgw, customers)
        finally:
            await pgw.stop()

    async def _activate(self, gateway: GatewayProcess, places: Services) -> None:
        """Bring the sample card into service, once; a host that forgot what it held is brought up to date."""
        cards = self._config.parent / CARDS
        if places.host is None or not cards.is_file():
            return
        iccid, number, plan, cause = NEW_LINE
        await gateway.ask("sim", "import", str(cards))
        new = (await gateway.ask("sim", "show", iccid))["state"] == "in_stock"
        line = ("--msisdn", number, "--plan", plan, "--cause", cause, "--key", "simulated-network", "--wait")
        try:
            await gateway.ask("sim", *(("activate", iccid, *line) if new else ("reconcile", "--repair")))
        except CommandRefused as error:  # what was done to the cards before is somebody's experiment: the rest goes on
            say(f"the cards and the host differ: {error}")
            return
        say(f"the SIM {iccid} was activated: {number}" if new else "the host holds the cards as they are wanted")

    async def _connect(self, gateway: GatewayProcess) -> Pgw:
        assert gateway.diameter is not None
        assert gateway.peer is not None
        host, realm = gateway.peer
        profile = PROFILES[self._scenario.sessions.profile]
        pgw = Pgw(
            gateway.diameter,
            random=Random(),  # noqa: S311  (jitter, no secret)
            profile=profile,
            origin_host=host,
            origin_realm=realm,
        )
        if not await pgw.start():
            await pgw.stop()
            where = "{}:{}".format(*gateway.diameter)
            fail(f"the PGW cannot connect: {pgw.last_failure}", where=where, exit_code=ExitCode.UNREACHABLE)
        return pgw

    async def _run_traffic(
        self, gateway: GatewayProcess, places: Services, pgw: Pgw, customers: list[Customer]
    ) -> None:
        self._began = time.monotonic()
        line = StatusLine(gateway, pgw, places.smsc)
        others = [
            asyncio.create_task(act)
            for act in (line.run(), self._watch(gateway), self._keep_figures(pgw), self._set_faults(places))
        ]
        if places.smsc is not None and gateway.short_code and self._scenario.texts.rate:
            others.append(asyncio.create_task(self._text(places, customers, gateway.short_code)))
        try:
            await self._open_sessions(pgw, customers)
        finally:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await line.read()
            say(str(line))

    async def _open_sessions(self, pgw: Pgw, customers: list[Customer]) -> None:
        asked = self._scenario.sessions
        random = Random(self._scenario.seed)  # noqa: S311  (traffic, no secret)
        traffic = Traffic(customers, pgw.profile, random, Mix(asked.octets, asked.seconds))
        await drive(
            pgw, traffic, rate=asked.rate, sessions=None, concurrency=CONCURRENCY, stop=self._stop, busy=self._busy
        )

    async def _text(self, places: Services, customers: list[Customer], code: str) -> None:
        assert places.smsc is not None
        asked = self._scenario.texts
        random = Random(self._scenario.seed)  # noqa: S311  (as above)
        await text(places.smsc, customers, asked.words, code, random, rate=asked.rate, stop=self._stop, busy=self._busy)

    async def _set_faults(self, places: Services) -> None:
        """Let each phase of the scenario begin and end in its time."""
        there = {"smsc": places.smsc, "host": places.host}
        services = [name for name, service in there.items() if service is not None]
        await keep_phases(self._scenario, places.control.steer, self._began, services)

    async def _keep_figures(self, pgw: Pgw) -> None:
        while True:
            self._figures["pgw"] = summary(pgw, time.monotonic() - self._began)
            await asyncio.sleep(1.0)

    async def _watch(self, gateway: GatewayProcess) -> None:
        """Stop when the gateway that was started here ends by itself; its exit code is told at the end."""
        await gateway.ended()
        self._stop.set()

    def _busy(self) -> float:
        return self._scenario.busy(time.monotonic() - self._began)

    def _read_customers(self) -> list[Customer]:
        try:
            return read_customers(self._subscribers)
        except CustomersUnreadable as error:
            fail(str(error), to_do="name a file of lines by --subscribers")


def _to_try(config: Path, customer: Customer, gateway: GatewayProcess, places: Services) -> str:
    """The status page and three commands, for whoever has a second terminal."""
    option = "" if config == Path("config/gateway.yaml") else f" --config {config}"
    number = customer.msisdn
    if places.smsc is not None and gateway.short_code:
        second = f'sms send --from {gateway.short_code} --to {number} "Thank you!"'
    else:
        second = f"subscriber topup {number} 10.00 --reference shop-1"
    return "\n".join(
        (
            f"the status page is at {gateway.page}",
            f"the network is steered at {places.control.url} (PUT /faults, GET /summary, POST /texts)",
            "try in another terminal (Ctrl-C here ends it all):",
            f"  tpo{option} subscriber show {number}",
            f"  tpo{option} {second}",
            f"  tpo{option} ledger check",
        )
    )


def _check(gateway: GatewayProcess, config: Path) -> None:
    if gateway.diameter is None:
        fail("the gateway listens nowhere without TLS", where=f"{config}: diameter.listen", to_do="add an address")
    if gateway.peer is None:
        fail(
            "no peer is to connect to the gateway", where=f"{config}: diameter.peers", to_do="add one without `connect`"
        )
