"""What the commands of a service that runs alone share: a scenario, its phases of faults, a port to steer it by, the end."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import typer

from simulators.exit import fail

if TYPE_CHECKING:
    from simulators.control import Control
    from simulators.scenario import Scenario

Steer = Callable[[dict[str, dict[str, float]]], None]


class Service(Protocol):
    """A simulated service."""

    async def start(self) -> object:
        """Listen; OSError."""

    async def stop(self) -> object:
        """Listen no more."""

    def summary(self) -> dict[str, object]:
        """What it has done."""


_Value = TypeVar("_Value")
_Service = TypeVar("_Service", bound=Service)


def scenario_of(file: Path | None) -> Scenario:
    """Read a scenario, the empty one without a file; what is wrong with it ends the command."""
    from simulators.scenario import Scenario, ScenarioInvalid, read_scenario  # noqa: PLC0415  (`tpo --help` starts faster)

    try:
        return Scenario() if file is None else read_scenario(file)
    except ScenarioInvalid as error:
        fail(str(error), to_do="mend it; docs/simulators.md has an example")


def chosen(ctx: typer.Context, option: str, given: _Value, file: Path | None, scenario: _Value) -> _Value:
    """Return what an option says; where it was left out and there is a scenario, what that says."""
    source = ctx.get_parameter_source(option)
    left_out = source is None or source.name == "DEFAULT"
    return scenario if left_out and file is not None else given


async def keep_phases(scenario: Scenario, steer: Steer, began: float, services: Collection[str]) -> None:
    """Let each phase of a scenario's faults begin and end in its time, counted from `began`, at the services that there are."""
    while True:
        now = time.monotonic() - began
        steer({name: shares for name, shares in scenario.shares(now).items() if name in services})
        change = scenario.next_change(now)
        if change is None:
            return
        await asyncio.sleep(change - now)


def run_alone(
    make: Callable[[], _Service],
    control: Callable[[_Service], Control],
    scenario: Scenario,
    name: str,
    *,
    control_port: int | None,
    duration: float,
    where: Callable[[_Service], str],
    what: str,
    as_json: bool,
) -> None:
    """Run a service until its time is over or a signal says so, and print its summary.

    `name` is the scenario's for it, `what` people's; `make` is called in the loop.
    """
    from simulators.report import lines  # noqa: PLC0415  (`tpo --help` starts faster)

    async def serve() -> dict[str, object]:
        service = make()
        steered = control(service)
        await _serve(service, steered, scenario, name, control_port, duration, lambda: where(service), what)
        return service.summary()

    report = asyncio.run(serve())
    sys.stdout.write(f"{json.dumps(report, indent=2)}\n" if as_json else "".join(f"{x}\n" for x in lines(report)))


async def _serve(
    service: Service,
    control: Control,
    scenario: Scenario,
    name: str,
    control_port: int | None,
    duration: float,
    where: Callable[[], str],
    what: str,
) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        await service.start()
        if control_port is not None:
            await control.start(control_port)
    except OSError as error:
        await service.stop()
        to_do = "choose a --port, or --control"
        fail(f"the {what} cannot listen: {error.strerror or error}", where=where(), to_do=to_do)
    sys.stderr.write(f"the {what} listens at {where()}\n")
    if control_port is not None:
        sys.stderr.write(f"it is steered at {control.url}\n")
    sys.stderr.flush()
    if duration:
        loop.call_later(duration, stop.set)
    phases = asyncio.create_task(keep_phases(scenario, control.steer, time.monotonic(), (name,)))
    await stop.wait()
    phases.cancel()
    with suppress(asyncio.CancelledError):
        await phases
    await control.stop()
    await service.stop()
