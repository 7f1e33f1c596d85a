"""`tpo simulate year`: the command."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulators.exit import ExitCode, fail

if TYPE_CHECKING:
    from simulators.year.report import Result


def year(
    *,
    lines: Annotated[int, typer.Option(min=10, max=90_000, help="Lines that the operator begins with.")] = 3000,
    seed: Annotated[int, typer.Option(help="The same seed makes the same year again.")] = 1,
    months: Annotated[int, typer.Option(min=2, max=12, help="Months that are played, from January on.")] = 12,
    folder: Annotated[
        Path | None, typer.Option(help="Keep store, files of the bank and audit pack in this new folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a page.")] = False,
) -> None:
    """Play a year of an operator in its own time: use, bills, payments, tenths, causes paid, an audit; prove each month.

    The gateway is the real one, on a store of its own. Everything that is used, paid and given is drawn from the seed. At the
    end of each month the books are checked, control totals and remittances add up, and are what customers, network and bank
    have counted; at the end of the year a sample of bills is proved by its own program. Exits with 1 where anything does not
    hold. Ctrl-C ends it, and leaves nothing but a --folder.

    \b
    Examples:
      tpo simulate year
      tpo simulate year --lines 200 --months 3 --seed 7
      tpo simulate year --folder year --json
      tpo --config year/gateway.yaml bill list --period 2025-03 --limit 5
    """
    try:
        if folder is None:
            with tempfile.TemporaryDirectory(prefix="tpo-year-") as temporary:
                result = _played(Path(temporary), lines, months, seed)
        else:
            _make(folder)
            result = _played(folder, lines, months, seed)
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(ExitCode.FAILED) from None
    _print(result, as_json=as_json)
    if not result.held:
        raise typer.Exit(ExitCode.FAILED)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        fail(f"{folder} is there already", to_do="name a folder that is not")
    except OSError as error:
        fail(f"{folder} cannot be made: {error.strerror}", to_do="name a folder that you may write")


def _played(folder: Path, lines: int, months: int, seed: int) -> Result:
    from simulators.year.year import Year  # noqa: PLC0415  (`tpo --help` starts faster)

    async def play() -> Result:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # as Ctrl-C
        return await Year(folder, lines, months, seed, _progress).run()

    return asyncio.run(play())


def _progress(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _print(result: Result, *, as_json: bool) -> None:
    import msgspec  # noqa: PLC0415  (as above)

    from simulators.year.report import page  # noqa: PLC0415  (as above)

    if as_json:
        sys.stdout.write(f"{json.dumps({'held': result.held} | msgspec.to_builtins(result), indent=2)}\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in page(result)))
