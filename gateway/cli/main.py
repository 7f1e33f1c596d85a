"""The way in and out of `tpo`: options that every command has, and exit codes that mean something."""

from __future__ import annotations

import errno
import io
import os
import re
import shlex
import sys
from collections.abc import MutableMapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final

import typer
from typer.main import get_command

from gateway.cli.completion import VARIABLE
from gateway.cli.context import DEFAULT_CONFIG, Invocation
from gateway.cli.errors import CODES, CommandFailed, ExitCode, GuestFailure
from gateway.cli.groups import LazyGroup
from gateway.cli.output import complain, discard, json_text, plain
from gateway.store.private_files import narrow_umask

_CLICK_USAGE: Final = 2
"""What typer exits with after a usage error; no command of ours uses it."""

_BELOW_ZERO: Final = re.compile(r"-[.,]?[0-9].*", re.DOTALL)

_OUTPUT: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF, errno.EPIPE)
"""Errors of an output that cannot be written. Commands answer for the files that they open themselves."""

_UsageError: type[typer.BadParameter] = typer.BadParameter.__base__  # type: ignore[assignment]  # its class is private

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
      tpo init config                     settings to begin with, each key explained
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
    _mend_streams()
    as_json = _wants_json(given)
    try:
        code = _run(given, as_json=as_json)
        sys.stdout.flush()
    except CommandFailed as failure:
        return _fail(failure, as_json=as_json)
    except OSError as error:
        if error.errno not in _OUTPUT:
            raise
        discard(sys.stdout)
        if error.errno == errno.EPIPE:  # whoever reads has seen enough, as `head` has
            return ExitCode.FAILED
        return _fail(CommandFailed(f"the output cannot be written: {error.strerror}"), as_json=as_json)
    except Exception as error:
        if not isinstance(error, GuestFailure):
            raise
        codes = [code for code in CODES if code == error.exit_code] or [ExitCode.FAILED]
        told = CommandFailed(error.what, where=error.where, to_do=error.to_do, exit_code=codes[0])
        _fail(told, as_json=as_json)
        return error.exit_code
    return code


def _run(given: list[str], *, as_json: bool) -> int:
    """Run the command; a usage error is told in typer's form, unless it is to be JSON."""
    try:
        code = get_command(root).main(args=_config_first(given), prog_name="tpo", standalone_mode=False)
    except SystemExit as end:
        return _exit_code(end.code)
    except _UsageError as error:
        told = _below_zero(error, given) or error.message.replace("\b", "")  # a group's is its help, which has that
        error.message = "\n".join(map(plain, told.split("\n")))
        if not as_json:
            error.show()
            return ExitCode.USAGE
        raise CommandFailed(
            error.format_message(),
            where=error.ctx.command_path if error.ctx else "tpo",
            to_do="see the command's --help",
            exit_code=ExitCode.USAGE,
        ) from None
    except typer.Abort:
        if not as_json:
            complain("Aborted!")
        return ExitCode.FAILED
    return _exit_code(code)


def _below_zero(error: typer.BadParameter, given: list[str]) -> str | None:
    """Say what is wrong where a value below zero was taken for options that are not there: -10 for -1 and -0."""
    option = getattr(error, "option_name", None)  # of what no option is called
    below = [word for word in given if option and _BELOW_ZERO.fullmatch(word) and word.startswith(option)]
    if not below:
        return None
    return f"{below[0]}: amounts and numbers are positive, and what begins with a hyphen is an option"


def _fail(failure: CommandFailed, *, as_json: bool) -> int:
    complain(json_text(failure.problem_body(), indent=2) if as_json else str(failure))
    return failure.exit_code


def _wants_json(arguments: list[str]) -> bool:
    """Return whether the output is to be JSON, before anything has read the command."""
    words = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in words or "--format=json" in words or ("--format", "json") in pairwise(words)


def _mend_streams() -> None:
    """Have three open streams that take any text: a file that was opened in the place of one would be written over."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # An output that was closed stays one that cannot be written; of errors nobody wants to know.
            os.open(os.devnull, os.O_WRONLY if name == "stderr" else os.O_RDONLY)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if name == "stdin" else "w", closefd=False))
        if name != "stdin" and isinstance(stream := getattr(sys, name), io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


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
