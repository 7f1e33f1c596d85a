"""`tpo config`: check the settings before the gateway sees them, and show what is in force."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from gateway.cli import context
from gateway.cli.context import AsJson
from gateway.cli.errors import ExitCode
from gateway.cli.output import complain, emit, plain

if TYPE_CHECKING:
    from gateway.settings import Settings

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@app.callback()
def _group() -> None:
    """Check and show the configuration."""


@app.command()
def check(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """Check the whole configuration and name every problem, as `file:line: key: message`.

    The store, if there is one, is asked what customers stand on: a plan or a cause that is in use may not be missing.
    Exits with 0 where the gateway would start (there may be warnings), else with 78.

    \b
    Examples:
      tpo config check
      tpo --config /etc/tpo/gateway.yaml config check --json
    """
    from gateway.cli.check_in_use import problems_in_use  # noqa: PLC0415  (as below)
    from gateway.settings import ConfigInvalid, Severity, load  # noqa: PLC0415  (pydantic; `--help` needs none)

    file = context.of(ctx).config
    settings: Settings | None = None
    try:
        settings = load(file)
        problems = [*settings.warnings, *problems_in_use(settings, file)]
    except ConfigInvalid as invalid:
        problems = invalid.problems
    if any(problem.severity is Severity.ERROR for problem in problems):
        settings = None
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    if as_json:
        emit({"ok": settings is not None, "problems": [problem._asdict() for problem in problems]}, as_json=True)
    else:
        sys.stdout.writelines(f"{plain(str(problem))}\n" for problem in problems)
        _conclude(str(file), settings, errors)
    if settings is None:
        raise typer.Exit(ExitCode.CONFIG)


def _conclude(file: str, settings: Settings | None, errors: int) -> None:
    if settings is None:
        complain(f"tpo: {errors} problem{'s' * (errors != 1)}: the gateway would not start with {file}")
        return
    peers = len(settings.diameter.peers) if settings.diameter else 0
    counts = f"plans: {len(settings.plans)}, causes: {len(settings.causes)}, Diameter peers: {peers}"
    sys.stdout.write(f"{file}: good ({counts})\n")


@app.command()
def show(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """Show every setting in force, with its default where the file has none; secrets stay hidden.

    Durations are seconds, paths absolute, prices in major units.

    \b
    Examples:
      tpo config show
      tpo config show --json
    """
    from gateway.settings import shown  # noqa: PLC0415  (pydantic; `--help` needs none)

    values = shown(context.of(ctx).client_settings)
    if as_json:
        emit(values, as_json=True)
        return
    import yaml  # noqa: PLC0415  (for this output only)

    sys.stdout.write(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=sys.maxsize))
