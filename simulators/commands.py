"""`tpo simulate`: the host network to test against."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated

import typer

from simulators.exit import ExitCode, fail
from simulators.host_api_command import host_api
from simulators.smsc_command import smsc
from simulators.standalone import chosen, scenario_of
from simulators.year.command import year

if TYPE_CHECKING:
    from simulators.customers import Customer
    from simulators.pgw import Pgw
    from simulators.scenario import Scenario

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
PROGRESS_SECONDS = 0.5


def _profiles(incomplete: str) -> list[str]:
    """Complete the name of a profile."""
    from simulators.profiles import PROFILES  # noqa: PLC0415  (`tpo --help` starts faster)

    return [name for name in PROFILES if name.startswith(incomplete)]


@app.callback()
def _group() -> None:
    """Play a host network to test against: a PGW, a message centre and an activation API, alone or together."""


@app.command()
def pgw(
    ctx: typer.Context,
    *,
    subscribers: Annotated[
        Path, typer.Option(help="CSV with the columns imsi and msisdn, as `subscriber import` reads it.")
    ] = Path("config/sample-subscribers.csv"),
    gateway: Annotated[str, typer.Option(help="HOST:PORT where the gateway listens.")] = "127.0.0.1:3868",
    sessions: Annotated[int, typer.Option(min=1, help="Sessions in all.")] = 100,
    rate: Annotated[float, typer.Option(min=0, help="Sessions begun a second; 0: as fast as they end.")] = 0.0,
    concurrency: Annotated[int, typer.Option(min=1, help="The most sessions at once.")] = 64,
    duration: Annotated[float, typer.Option(min=0, help="End after so many seconds; 0: when all have ended.")] = 0.0,
    pace: Annotated[float, typer.Option(min=0, help="Seconds that a second of traffic takes; 0: no waiting.")] = 0.0,
    profile: Annotated[
        str, typer.Option(help="Whose requests: standard, open5gs or staros.", autocompletion=_profiles)
    ] = "standard",
    scenario: Annotated[
        Path | None, typer.Option(help="YAML: sessions, their rate over a day, profile; docs/simulators.md.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed makes the same traffic again.")] = 1,
    patience: Annotated[float, typer.Option(min=0, help="Seconds to wait for the gateway at the start.")] = 10.0,
    identity: Annotated[str, typer.Option(help="Our DiameterIdentity, as the gateway knows it.")] = "pgw.host.example",
    realm: Annotated[str, typer.Option(help="Our realm.")] = "host.example",
    as_json: AsJson = False,
) -> None:
    """Run data sessions against a gateway: CCR-I, updates as quota is used, CCR-T; what is not answered is repeated.

    Exits with 69 if the gateway cannot be reached, 75 if some usage was not acknowledged, 1 if every session was refused. With
    a scenario sessions last as long as it says and go on until its end; an option that is given beats it.

    \b
    Examples:
      tpo simulate pgw --sessions 1000
      tpo simulate pgw --profile open5gs --rate 5 --pace 1 --duration 60
      tpo simulate pgw --scenario busy.yaml --rate 20
      tpo simulate pgw --gateway 10.0.0.7:3868 --subscribers lines.csv --seed 7 --json
    """
    from simulators.customers import CustomersUnreadable, read_customers  # noqa: PLC0415  (`tpo --help` starts faster)
    from simulators.pgw import Pgw  # noqa: PLC0415  (as above)
    from simulators.profiles import PROFILES  # noqa: PLC0415  (as above)
    from simulators.report import lines, summary  # noqa: PLC0415  (as above)

    asked = scenario_of(scenario)
    profile = chosen(ctx, "profile", profile, scenario, asked.sessions.profile)
    if profile not in PROFILES:
        raise typer.BadParameter(f"{profile!r} is none of {', '.join(PROFILES)}", param_hint="--profile")
    where = address(gateway)
    try:
        customers = read_customers(subscribers)
    except CustomersUnreadable as error:
        fail(str(error), to_do="name the file by --subscribers")

    async def work() -> tuple[Pgw, float]:
        found = Pgw(
            where,
            random=Random(),  # noqa: S311  (jitter, no secret)
            profile=PROFILES[profile],
            origin_host=identity,
            origin_realm=realm,
            pace=chosen(ctx, "pace", pace, scenario, 1.0),
        )
        if not await found.start(patience):
            await found.stop()
            return found, 0.0
        seconds = await _run(
            found,
            customers,
            asked.changed(
                rate=chosen(ctx, "rate", rate, scenario, asked.sessions.rate),
                seed=chosen(ctx, "seed", seed, scenario, asked.seed),
                duration=chosen(ctx, "duration", duration, scenario, asked.duration),
            ),
            chosen(ctx, "sessions", sessions, scenario, None),
            concurrency,
        )
        return found, seconds

    found, seconds = asyncio.run(work())
    report = summary(found, seconds)
    sys.stdout.write(f"{json.dumps(report, indent=2)}\n" if as_json else "".join(f"{x}\n" for x in lines(report)))
    counters = found.counters
    if not counters.answers:
        fail(f"the gateway did not answer: {found.last_failure}", where=gateway, exit_code=ExitCode.UNREACHABLE)
    if counters.abandoned or counters.octets_reported != counters.octets_acknowledged:
        raise typer.Exit(ExitCode.PARTLY_DONE)
    if counters.refused == counters.opened:
        raise typer.Exit(ExitCode.FAILED)


@app.command()
def network(
    ctx: typer.Context,
    *,
    with_gateway: Annotated[bool, typer.Option(help="Start the gateway, too, and stop it at the end.")] = False,
    subscribers: Annotated[
        Path | None, typer.Option(help="CSV to import and to make traffic for; else sample-subscribers.csv.")
    ] = None,
    scenario: Annotated[
        Path | None, typer.Option(help="YAML: traffic, handsets and faults over time; docs/simulators.md.")
    ] = None,
    rate: Annotated[float | None, typer.Option(min=0.01, help="Sessions begun a second; else 0.5.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed makes the same traffic again; else 1.")] = None,
    duration: Annotated[float | None, typer.Option(min=0, help="End after so many seconds; else at Ctrl-C.")] = None,
    control: Annotated[int, typer.Option(min=0, max=65535, help="The port to steer it by; 0: any.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON at the end.")] = False,
) -> None:
    """Run a small host network with light traffic beside the gateway, and show live what it comes to.

    A PGW always; a message centre and an activation API if the configuration names them on this machine. With
    --with-gateway the configuration is network.yaml beside the usual one, unless --config names another. The lines of the
    sample file are imported first. Ctrl-C or SIGTERM ends the sessions, then the gateway if it was started here.

    \b
    Examples:
      tpo simulate network --with-gateway
      tpo simulate network --with-gateway --scenario busy.yaml --control 8641
      tpo --config /etc/tpo/gateway.yaml simulate network --subscribers lines.csv --rate 2
    """
    from simulators.network import Network  # noqa: PLC0415  (`tpo --help` starts faster)

    asked = scenario_of(scenario).changed(rate=rate, seed=seed, duration=duration)
    network_of = Network(_config(ctx, with_gateway=with_gateway), subscribers, asked, control)
    with redirect_stdout(sys.stderr if as_json else sys.stdout):
        asyncio.run(network_of.run(with_gateway=with_gateway))
    if as_json:
        sys.stdout.write(f"{json.dumps(network_of.summary, indent=2)}\n")


app.command()(smsc)
app.command()(year)


app.command("host-api")(host_api)


def _config(ctx: typer.Context, *, with_gateway: bool) -> Path:
    """Which configuration: that of the command, or the simulated network's beside it, where none was named."""
    root = ctx.find_root()
    config = Path(root.params.get("config") or "config/gateway.yaml")
    source = root.get_parameter_source("config")
    named = source is not None and source.name != "DEFAULT"
    beside = config.with_name("network.yaml")
    return beside if with_gateway and not named and beside.is_file() else config


async def _run(
    found: Pgw,
    customers: list[Customer],
    asked: Scenario,
    sessions: int | None,
    concurrency: int,
) -> float:
    """Drive the traffic to its end; returns the seconds that it took."""
    from simulators.traffic import Mix, Traffic, drive  # noqa: PLC0415  (`tpo --help` starts faster)

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if asked.duration:
        loop.call_later(asked.duration, stop.set)
    started = time.monotonic()
    progress = asyncio.create_task(_show_progress(found, sessions))
    mix = Mix(asked.sessions.octets, asked.sessions.seconds)
    traffic = Traffic(customers, found.profile, Random(asked.seed), mix)  # noqa: S311  (traffic, no secret)
    try:
        await drive(
            found,
            traffic,
            rate=asked.sessions.rate,
            sessions=sessions,
            concurrency=concurrency,
            stop=stop,
            busy=lambda: asked.busy(time.monotonic() - started),
        )
        return time.monotonic() - started
    finally:
        progress.cancel()
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
        await found.stop()


async def _show_progress(found: Pgw, sessions: int | None) -> None:
    while sys.stderr.isatty():
        counters = found.counters
        done = counters.ended + counters.refused + counters.abandoned
        of_all = f"/{sessions}" if sessions else ""
        sys.stderr.write(f"\r\x1b[K{done}{of_all} sessions, {counters.answers} answers, {counters.repeated} repeated")
        sys.stderr.flush()
        await asyncio.sleep(PROGRESS_SECONDS)


def address(text: str, option: str = "--gateway") -> tuple[str, int]:
    """Read HOST:PORT; `option` is what it was given by."""
    host, _, port = text.rpartition(":")
    if not host or not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise typer.BadParameter(f"{text[:64]!r} is no HOST:PORT", param_hint=option)
    return host.strip("[]"), int(port)
