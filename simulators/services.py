"""The services of a simulated host network that a gateway's configuration asks for: where it looks for them, they listen."""

from __future__ import annotations

from protocols.smpp.receipts import IdForm
from simulators.control import Control
from simulators.gateway_process import GatewayProcess
from simulators.host_api import HostApi, Mode
from simulators.scenario import Scenario
from simulators.smsc import Smsc


class AddressTaken(OSError):
    """Something else listens where a service is looked for."""


class Services:
    """A message centre and an activation API, each if the configuration has one on this machine, and the control port."""

    def __init__(self, gateway: GatewayProcess, scenario: Scenario, figures: dict[str, object]) -> None:
        """Take `figures`, a summary to be told beside those of the services; whoever owns it keeps it fresh."""
        self.smsc = None if gateway.smsc is None else _smsc(gateway.smsc, scenario)
        at = gateway.activation_api
        self.host = None if at is None else _host(at, scenario)
        self.control = Control(self.summary, smsc=self.smsc, host=self.host)
        self._figures = figures

    def summary(self) -> dict[str, object]:
        """Everything that was counted, by service."""
        found = dict(self._figures)
        if self.smsc is not None:
            found["smsc"] = self.smsc.summary()
        if self.host is not None:
            found["host"] = self.host.summary()
        return found

    async def start(self, control_port: int) -> None:
        """Listen; AddressTaken names the service that can't."""
        services = (("the message centre", self.smsc), ("the activation API", self.host))
        for name, service in services:
            if service is not None:
                try:
                    await service.start()
                except OSError as error:
                    raise AddressTaken(f"{name} cannot listen on port {service.port}: {error.strerror}") from None
        try:
            await self.control.start(control_port)
        except OSError as error:
            raise AddressTaken(f"the control port {control_port} cannot be had: {error.strerror}") from None

    async def stop(self) -> None:
        """End what was started."""
        await self.control.stop()
        if self.smsc is not None:
            await self.smsc.stop()
        if self.host is not None:
            await self.host.stop()


def _smsc(at: tuple[str, int], scenario: Scenario) -> Smsc:
    rules, handsets = scenario.smsc, scenario.handsets
    return Smsc(
        host=at[0],
        port=at[1],
        rate=rules.rate,
        delivery_seconds=rules.delivery,
        receipt_ids=IdForm(rules.receipt_ids),
        answers=handsets.answers,
        answer_seconds=handsets.seconds,
        seed=scenario.seed,
    )


def _host(at: tuple[str, int], scenario: Scenario) -> HostApi:
    rules = scenario.host
    return HostApi(
        host=at[0], port=at[1], mode=Mode(rules.mode), work_seconds=rules.work, rate=rules.rate, seed=scenario.seed
    )
