"""The way in and out of `tpo`: options that every command has, and exit codes that mean something."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from typer.main import get_command

from gateway.cli.completion import VARIABLE
from gateway.cli.context import DEFAULT_CONFIG, Invocation
from gateway.cli.errors import CommandFailed, ExitCode
from gateway.cli.groups import LazyGroup
from gateway.cli.output import complain
from gateway.store.private_files import narrow_umask

_CLICK_USAGE: Final = 2
"""What typer exits with after a usage error; no command of ours uses it."""

root = typer.Typer(cls=LazyGroup, no_args_is_help=True, rich_markup_mode=None, add_completion=True)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415  (for this option only)

        sys.stdout.write(f"tpo {version('tpo-gateway')}\n")
        raise typer.Exit


@root.callback()
def _options(
    ctx: typer.Context,
    *,
    config: Annotated[
        Path, typer.Option(envvar="TPO_CONFIG", help="The configuration; may stand anywhere in the command.")
    ] = DEFAULT_CONFIG,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Run and work the gateway of The People's Operator.

    Exit codes: 0 done, 1 refused or failed, 64 usage, 69 gateway or peer unreachable, 75 partly done, 78 configuration.

    Every command has examples in its --help, and prints JSON with --json. `tpo --install-completion` teaches your shell
    the commands and the names in your configuration.

    \b
    First steps:
      tpo demo                            the whole story in a minute; needs nothing, leaves nothing
      tpo simulate network --with-gateway a gateway with traffic to play with
      tpo config check                    is config/gateway.yaml good?
      tpo run                             the gateway, in the foreground
      tpo status                          how does it do?
    \b
    Examples:
      tpo status --watch
      tpo --config /etc/tpo/gateway.yaml status --json
    """
    ctx.obj = Invocation(config)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    narrow_umask()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if VARIABLE in os.environ:
        _move_config(os.environ)
    try:
        get_command(root).main(args=_config_first(given), prog_name="tpo")
    except SystemExit as end:
        return _exit_code(end.code)
    except CommandFailed as failure:
        complain(str(failure))
        return failure.exit_code
    return ExitCode.DONE


def _config_first(arguments: list[str]) -> list[str]:
    """Move `--config FILE` to the front, where the root command looks for it: people write it at either end."""
    front: list[str] = []
    rest: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--":
            return [*front, *rest, argument, *remaining]
        if argument == "--config":
            value = next(remaining, None)
            if value is None:
                return [argument]  # for typer to say what is missing
            front += [argument, value]
        elif argument.startswith("--config="):
            front.append(argument)
        else:
            rest.append(argument)
    return [*front, *rest]


def _move_config(environ: MutableMapping[str, str]) -> None:
    """Take a `--config FILE` out of the line that is being completed and into TPO_CONFIG: it may stand anywhere there, too."""
    name = "_TYPER_COMPLETE_ARGS" if "_TYPER_COMPLETE_ARGS" in environ else "COMP_WORDS"
    try:
        words = shlex.split(environ.get(name, ""))
    except ValueError:  # a quote that is still open
        return
    open_end = environ.get(name, "")[-1:].isspace()
    for place, word in enumerate(words[1:], 1):
        following = len(words) > place + 2 or (len(words) == place + 2 and open_end)
        if word == "--config" and following:
            environ["TPO_CONFIG"] = words[place + 1]
            rest = [*words[:place], *words[place + 2 :]]
            environ[name] = shlex.join(rest) + (" " if open_end else "")
            if "COMP_CWORD" in environ:
                environ["COMP_CWORD"] = str(int(environ["COMP_CWORD"]) - 2)
            return


def _exit_code(code: object) -> int:
    if code == _CLICK_USAGE:
        return ExitCode.USAGE
    return code if isinstance(code, int) else ExitCode.FAILED if code else ExitCode.DONE
