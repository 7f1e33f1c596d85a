"""`tpo reload`: have the running gateway take over its changed configuration."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import typer

from gateway.cli import context
from gateway.cli.context import AsJson
from gateway.cli.errors import CommandFailed, ExitCode
from gateway.cli.output import emit

if TYPE_CHECKING:
    from gateway.api.answers.nodes import ReloadOutcome

app = typer.Typer(rich_markup_mode=None, add_completion=False)
PATIENCE: Final = 60.0
"""Seconds that links and peers which change may take to leave in order, with room to spare."""
OLD_GOES_ON: Final = "mend it, then run `tpo reload` again; the gateway goes on with its old configuration"


@app.command()
def reload(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Have the running gateway read its configuration again; links and peers that did not change stay up.

    The files are checked first. If anything is wrong with them, or a key changed that needs a restart, all stays as it
    is, the reasons are printed, and the exit code is 78. SIGHUP does the same, and tells of it in the log.

    \b
    Examples:
      tpo config check && tpo reload
      tpo reload --json
    """
    from gateway.api.answers.nodes import ReloadOutcome  # noqa: PLC0415  (as below)
    from gateway.cli.client import call  # noqa: PLC0415  (`tpo --help` starts faster)

    try:
        settings = context.of(ctx).client_settings
    except CommandFailed as failure:
        raise CommandFailed(failure.what, where=failure.where, to_do=OLD_GOES_ON, exit_code=ExitCode.CONFIG) from None
    found = call(settings, "gateway.reload", {}, ReloadOutcome, timeout=PATIENCE)
    if as_json:
        emit(found, as_json=True)
        if not found.applied:
            raise typer.Exit(ExitCode.CONFIG)
    elif not found.applied:
        raise _refusal(found, str(settings.file))
    else:
        sys.stdout.writelines(f"{line}\n" for line in _lines(found))


def _refusal(found: ReloadOutcome, file: str) -> CommandFailed:
    restart = [f"{key}: needs a restart of the gateway" for key in found.restart]
    lines = "\n".join([*found.problems, *restart])
    to_do = "restart the gateway, or put these keys back and run `tpo reload` again" if restart else OLD_GOES_ON
    return CommandFailed(f"nothing was taken over\n{lines}", where=file, to_do=to_do, exit_code=ExitCode.CONFIG)


def _lines(found: ReloadOutcome) -> list[str]:
    """Return what is in force now, a line for each thing."""
    lines = [
        f"{word} {name}: {how}"
        for word, items in (("link", found.links), ("peer", found.peers), ("host", found.hosts))
        for how, names in (("added", items.added), ("removed", items.removed), ("changed", items.changed))
        for name in names
    ]
    changed = ", ".join(found.changed) or "nothing had changed"
    return [*lines, f"the configuration is in force: {changed}"]
