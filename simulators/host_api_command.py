"""`tpo simulate host-api`: an activation API of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from simulators.exit import fail
from simulators.standalone import chosen, run_alone, scenario_of

MAX_TOKEN: Final = 65_536
"""Characters of its file that are read; a device has no end."""


def host_api(
    ctx: typer.Context,
    *,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0: any.")] = 8640,
    mode: Annotated[str, typer.Option(help="sync: done, then answered; async: 202, done later.")] = "sync",
    work: Annotated[float, typer.Option(min=0, help="Seconds that the work of a 202 takes.")] = 0.2,
    rate: Annotated[float, typer.Option(min=0, help="Changes allowed a second, else 429; 0: no limit.")] = 0.0,
    token_env: Annotated[
        str | None, typer.Option(help="The environment variable that holds the token which callers have to give.")
    ] = None,
    token_file: Annotated[Path | None, typer.Option(help="The file that holds it.")] = None,
    faults: Annotated[str, typer.Option(help="FAULT=PROBABILITY, separated by commas.")] = "",
    scenario: Annotated[
        Path | None, typer.Option(help="YAML: mode, work, rate and faults over time (`host`); docs/simulators.md.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed makes the same faults again.")] = 1,
    control: Annotated[int | None, typer.Option(min=0, max=65535, help="A port to steer it by, on loopback.")] = None,
    duration: Annotated[float, typer.Option(min=0, help="End after so many seconds; 0: at Ctrl-C.")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Run a host operator's activation API (TMF640 v4), and tell at the end what it was asked and what it did.

    Faults: error-before, error-after, timeout-before, timeout-after, slow, dropped, work-fails, callback-lost,
    callback-doubled, callback-late, callback-first, callback-disorder, conflict. An option that is given beats the scenario.

    \b
    Examples:
      tpo simulate host-api
      tpo simulate host-api --mode async --work 2 --rate 50
      tpo simulate host-api --faults error-after=0.05,timeout-before=0.02 --seed 7 --json
      tpo simulate host-api --scenario busy.yaml --token-env HOST_TOKEN --control 8641
    """
    from simulators.control import Control  # noqa: PLC0415  (`tpo --help` starts faster)
    from simulators.host_api import HostApi, Mode  # noqa: PLC0415  (as above)
    from simulators.host_faults import Faults, FaultsUnreadable, read_faults  # noqa: PLC0415  (as above)

    asked = scenario_of(scenario)
    mode = chosen(ctx, "mode", mode, scenario, asked.host.mode)
    if mode not in list(Mode):
        raise typer.BadParameter(f"{mode!r} is none of {', '.join(Mode)}", param_hint="--mode")
    seed = chosen(ctx, "seed", seed, scenario, asked.seed)
    try:
        drawn = Faults(read_faults(faults), seed)
    except FaultsUnreadable as error:
        raise typer.BadParameter(str(error), param_hint="--faults") from None
    token = _token(token_env, token_file)

    def host_api() -> HostApi:
        return HostApi(
            host=host,
            port=port,
            mode=Mode(mode),
            work_seconds=chosen(ctx, "work", work, scenario, asked.host.work),
            rate=chosen(ctx, "rate", rate, scenario, asked.host.rate),
            token=token,
            faults=drawn,
            seed=seed,
        )

    run_alone(
        host_api,
        lambda found: Control(found.summary, host=found),
        asked,
        "host",
        control_port=control,
        duration=chosen(ctx, "duration", duration, scenario, asked.duration),
        where=lambda found: found.url,
        what="host API",
        as_json=as_json,
    )


def _token(variable: str | None, file: Path | None) -> str | None:
    """Read the token from where it is kept: on the command line everybody could see it."""
    if variable is not None and file is not None:
        raise typer.BadParameter("give one of --token-env and --token-file", param_hint="--token-env")
    try:
        token = os.environ[variable] if variable is not None else None
        if file is not None:
            with file.open() as opened:
                token = opened.read(MAX_TOKEN).strip()
    except KeyError:
        fail(f"the environment has no {variable}", where="--token-env", to_do="set it, or give --token-file")
    except OSError as error:
        fail(f"the token cannot be read: {error.strerror}", where=str(file), to_do="give another --token-file")
    if token == "":
        fail("the token is empty", where=str(file or variable), to_do="put one there")
    return token
