"""The story that `tpo demo` tells: a customer's first day, and a power cut, each step read back from the gateway itself."""

from __future__ import annotations

import asyncio
import csv
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

from simulators.customers import Customer
from simulators.gateway_process import CommandRefused, GatewayProcess
from simulators.host_api import HostApi
from simulators.pgw import Pgw
from simulators.session import Demand
from simulators.smsc import Smsc

ICCID: Final = "8944100000000001990"
CUSTOMER: Final = Customer("001010000000199", "447700900199")
CODE, PLAN, CAUSE = "70070", "payg-gb", "wateraid"
RATING_GROUP: Final = 100
MB: Final = 1_000_000
FILM: Final = Demand(700 * MB, 100 * MB)
"""Seven pounds' worth at a penny a megabyte."""
SECOND_FILM: Final = Demand(300 * MB, 100 * MB)
KILL_AFTER: Final = 1.5
"""Seconds into the second film, which takes three."""
PATIENCE: Final = 15.0
FILES: Final = ("plans.yaml", "causes.yaml", "keywords.yaml", "taxes.yaml")


class StepFailed(Exception):
    """Something did not hold: what was expected, and what was found."""


class Step(msgspec.Struct):
    """One step of the story; `figures` were read back from the gateway, `why` tells what did not hold."""

    name: str
    held: bool = False
    seconds: float = 0.0
    figures: dict[str, str] = {}
    why: str = ""


class Demo:
    """The story, in a folder that is its own; `on_step` is called with each step as it ends.

    Args:
        shipped: a folder with the plans, causes and keywords that the story speaks of; None: those of `tpo init`.
    """

    def __init__(self, folder: Path, shipped: Path | None, on_step: Callable[[Step], None]) -> None:
        self.steps: list[Step] = []
        self._folder, self._shipped, self._on_step = folder, shipped, on_step
        self._smsc = Smsc(answer_seconds=0.3)
        self._host = HostApi()
        self._gateway: GatewayProcess | None = None
        self._pgw: Pgw | None = None
        self._held: list[socket.socket] = []

    async def run(self) -> bool:
        """Tell it to its end, or to the first step that does not hold; True if all held."""
        story: list[tuple[str, Callable[[], Awaitable[dict[str, str]]]]] = [
            ("The gateway starts, beside a host network", self._start),
            ("A SIM is activated by order", self._activate),
            ("Its owner pays in", self._top_up),
            ("A text arrives: GIVE WATERAID 5. It is answered, YES is said, and the gift is given", self._give),
            ("A film is watched; the price and the tenth appear", self._watch),
            ("In the middle of another film the gateway is killed (SIGKILL), and comes back", self._survive),
            ("Nothing was lost, nothing charged twice", self._prove),
        ]
        try:
            for name, act in story:
                if not await self._take(Step(name), act):
                    return False
            return True
        finally:
            await self._leave()

    async def _take(self, step: Step, act: Callable[[], Awaitable[dict[str, str]]]) -> bool:
        began = time.monotonic()
        try:
            step.figures = await act()
            step.held = True
        except StepFailed as error:
            step.why = str(error)
        except CommandRefused as error:
            step.why = f"a command of the gateway failed: {error}"
        except (OSError, TimeoutError) as error:
            step.why = f"{type(error).__name__}: {str(error) or 'it took too long'}"
        step.seconds = round(time.monotonic() - began, 2)
        self.steps.append(step)
        self._on_step(step)
        return step.held

    async def _leave(self) -> None:
        if self._pgw is not None:
            await self._pgw.stop()
        if self._gateway is not None:
            await self._gateway.stop()
        await self._smsc.stop()
        await self._host.stop()
        for held in self._held:
            held.close()

    # The steps

    async def _start(self) -> dict[str, str]:
        await self._smsc.start()
        await self._host.start()
        config, shipped = self._folder / "gateway.yaml", self._shipped
        if shipped is None:
            shipped = self._folder / "shipped"
            await GatewayProcess.write_settings(shipped)
        self._held = [_reserve_port(), _reserve_port()]
        ports = [held.getsockname()[1] for held in self._held]
        config.write_text(_settings(shipped, ports, self._smsc.port, self._host.url), encoding="utf-8")
        gateway = self._gateway = await GatewayProcess.read(config)
        assert gateway.diameter is not None
        await gateway.start()
        self._pgw = Pgw(gateway.diameter, random=Random(), tx=2.0)  # noqa: S311  (jitter, no secret)
        _expect(await self._pgw.start(PATIENCE), "the PGW is connected", self._pgw.last_failure)
        await _until(lambda: bool(self._smsc.bound), "the gateway is bound to the message centre")
        links = await gateway.ask("link", "list")
        return {"links up": ", ".join(link["name"] for link in links), "PGW": "connected"}

    async def _activate(self) -> dict[str, str]:
        cards = self._folder / "cards.csv"
        with cards.open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out)
            writer.writerow(("iccid", "imsi", "ki", "opc"))
            keys = Random(ICCID)  # noqa: S311  (a card that does not exist)
            writer.writerow((ICCID, CUSTOMER.imsi, f"{keys.getrandbits(128):032x}", f"{keys.getrandbits(128):032x}"))
        await self._ask("sim", "import", str(cards))
        order = (
            "sim",
            "activate",
            ICCID,
            "--msisdn",
            CUSTOMER.msisdn,
            "--plan",
            PLAN,
            "--cause",
            CAUSE,
            "--key",
            "demo",
        )
        await self._ask(*order, "--wait")
        again = await self._ask(*order)
        card = await self._ask("sim", "show", ICCID)
        welcome = await self._smsc.handsets.expect(CUSTOMER.msisdn, "Welcome", PATIENCE)
        _expect(card["state"] == "active", "the card is active", card["state"])
        _expect(again["repeated"] is True, "the same order again changes nothing", again)
        _expect(set(self._host.inventory.effects.values()) == {1}, "the host did everything once", self._host.summary())
        return {"card": f"{ICCID} {card['state']}", "at the host": str(card["observed"]), "text": welcome.words}

    async def _top_up(self) -> dict[str, str]:
        for _ in range(2):  # the same payment, told twice
            await self._ask("subscriber", "topup", CUSTOMER.msisdn, "20.00", "--reference", "shop-1")
        return {"balance": await self._balance("20.00")}

    async def _give(self) -> dict[str, str]:
        number, handsets = CUSTOMER.msisdn, self._smsc.handsets
        self._smsc.text_in(number, CODE, "GIVE WATERAID 5")
        question = await handsets.expect(number, "Reply YES", PATIENCE)
        thanks = await handsets.expect(number, "Thank you!", PATIENCE)
        accounts = await self._accounts()
        _expect_amount(accounts, f"gifts:{CAUSE}", "5.00")
        return {
            "asked": question.words,
            "thanked": thanks.words,
            f"gifts:{CAUSE}": f"{accounts[f'gifts:{CAUSE}']} GBP",
            "balance": await self._balance("15.00"),
        }

    async def _watch(self) -> dict[str, str]:
        assert self._pgw is not None
        await self._pgw.run(self._pgw.new_session(CUSTOMER, [(RATING_GROUP, _at_once(FILM))]))
        return await self._read_back("7.00", "0.70", "8.00")

    async def _survive(self) -> dict[str, str]:
        assert self._pgw is not None
        assert self._gateway is not None
        answered = self._pgw.counters.answers
        film = asyncio.create_task(self._pgw.run(self._pgw.new_session(CUSTOMER, [(RATING_GROUP, SECOND_FILM)])))
        try:
            await asyncio.sleep(KILL_AFTER)
            before = self._pgw.counters.answers - answered
            _expect(before > 0 and not film.done(), "the film runs", f"{before} answers")
            await self._gateway.kill()
            self._smsc.text_in(CUSTOMER.msisdn, CODE, "TENTH")
            await self._gateway.start()
            async with asyncio.timeout(PATIENCE):
                await film
        finally:
            film.cancel()
        return {
            "killed after": f"{before} answers of this session",
            "after it": f"{self._after(answered, before)} more",
        }

    def _after(self, answered: int, before: int) -> int:
        assert self._pgw is not None
        return self._pgw.counters.answers - answered - before

    async def _prove(self) -> dict[str, str]:
        assert self._pgw is not None
        told = await self._smsc.handsets.expect(CUSTOMER.msisdn, "So far", PATIENCE)
        counters = self._pgw.counters
        exported = sum(int(row["octets"] or 0) for row in await self._usage())
        reported = (
            f"{counters.octets_reported} reported, {counters.octets_acknowledged} acknowledged, {exported} exported"
        )
        _expect(
            counters.octets_reported == counters.octets_acknowledged == exported == FILM.octets + SECOND_FILM.octets,
            "every octet is there once",
            reported,
        )
        figures = await self._read_back("10.00", "1.00", "5.00")
        check = await self._ask("ledger", "check")
        _expect(check["ok"], "the books are right", check["findings"])
        return figures | {
            "octets": reported,
            "text sent while it was down": told.words,
            "ledger check": f"right: {check['entries']} entries",
        }

    # What the gateway says

    async def _read_back(self, charged: str, tenth: str, balance: str) -> dict[str, str]:
        accounts = await self._accounts()
        _expect_amount(accounts, "revenue", charged)
        _expect_amount(accounts, f"cause:{CAUSE}", tenth)
        priced = sum((Decimal(row["price"]) for row in await self._usage()), Decimal(0))
        _expect(priced == Decimal(charged), f"the usage records come to {charged}", priced)
        return {
            "charged": f"{accounts['revenue']} GBP",
            f"the tenth, cause:{CAUSE}": f"{accounts[f'cause:{CAUSE}']} GBP",
            "balance": await self._balance(balance),
        }

    async def _balance(self, expected: str) -> str:
        line = await self._ask("subscriber", "show", CUSTOMER.msisdn)
        _expect(Decimal(line["balance"]) == Decimal(expected), f"the balance is {expected}", line["balance"])
        return f"{line['balance']} {line['currency']}"

    async def _accounts(self) -> dict[str, Decimal]:
        return {row["account"]: Decimal(row["balance"]) for row in await self._ask("ledger", "balances")}

    async def _usage(self) -> list[dict[str, Any]]:
        assert self._gateway is not None
        return await self._gateway.read_usage()

    async def _ask(self, *arguments: str) -> Any:  # noqa: ANN401  (whatever the command answers)
        assert self._gateway is not None
        return await self._gateway.ask(*arguments)


def _at_once(demand: Demand) -> Demand:
    """The same film over a line so fast that nobody waits."""
    return Demand(demand.octets, demand.rate * 1000)


async def _until(condition: Callable[[], bool], what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110  (a simulator has no event for everything)
                await asyncio.sleep(0.02)
    except TimeoutError:
        _expect(False, what, "not so")  # noqa: FBT003  (it does not hold)


def _expect(holds: bool, what: str, found: object) -> None:  # noqa: FBT001  (what holds, or not)
    if not holds:
        raise StepFailed(f"expected that {what}; found: {found}")


def _expect_amount(accounts: dict[str, Decimal], account: str, amount: str) -> None:
    found = accounts.get(account)
    _expect(found == Decimal(amount), f"{account} stands at {amount}", found)


def _reserve_port() -> socket.socket:
    """Hold a free port for a server that sets SO_REUSEADDR, as asyncio's do: nobody else is given it until this is closed."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return held


def _settings(shipped: Path, ports: Sequence[int], smsc_port: int, host_url: str) -> str:
    """The gateway's configuration for the story: everything of its own but plans, causes and keywords."""
    for name in FILES:
        if not (shipped / name).is_file():
            raise StepFailed(f"expected {shipped / name}, which the story speaks of; name its folder by --config")
    listed = "\n".join(f"{name.removesuffix('.yaml')}: {(shipped / name).resolve()}" for name in FILES)
    return f"""operator: {{name: The People's Operator}}
store: {{url: "sqlite:///tpo.db"}}
api: {{listen: "127.0.0.1:{ports[0]}", socket: tpo.sock}}
smpp:
  links:
    - {{name: host, host: 127.0.0.1, port: {smsc_port}, system_id: tpo}}
messaging: {{short_codes: ["{CODE}"]}}
charity: {{gift_window: 0s}}
diameter:
  identity: ocs.tpo.example
  realm: tpo.example
  listen: ["127.0.0.1:{ports[1]}"]
  peers:
    - {{identity: pgw.host.example, realm: host.example}}
provisioning:
  hosts:
    - {{name: host, adapter: tmf640, plans: [{PLAN}], url: "{host_url}", poll: 1s}}
{listed}
"""
