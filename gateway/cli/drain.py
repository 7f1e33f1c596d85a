"""`tpo drain`: have the running gateway leave in peace."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import Annotated, Any, Final

import typer

from gateway.cli import context
from gateway.cli.context import AsJson
from gateway.cli.output import complain, emit

app = typer.Typer(rich_markup_mode=None, add_completion=False)
LOOK_SECONDS: Final = 0.2


@app.command()
def drain(
    ctx: typer.Context,
    timeout: Annotated[float, typer.Option(min=0, max=86_400, help="Seconds to wait for what runs.")] = 60,
    as_json: AsJson = False,
) -> None:
    """Let the gateway take in nothing new, finish what runs, and end; waits until it has.

    From the first moment /readyz answers 503, new charging sessions are refused as 3004 (TOO_BUSY) so that their clients
    turn to another gateway, and new texts and orders get 503. Open sessions and queued texts have until the timeout; what
    is left then stands in the store and goes on later. Then links unbind, peers get a DPR, and the process exits with 0.
    Interrupting this command does not stop the drain; SIGTERM to the gateway ends the waiting.

    \b
    Examples:
      tpo drain
      tpo drain --timeout 600
    """
    from gateway.cli.client import DaemonUnreachable, call  # noqa: PLC0415  (`tpo --help` starts faster)

    settings = context.of(ctx).client_settings
    told, began = call(settings, "gateway.drain", {"timeout": timeout}), time.monotonic()
    shown = ""
    with suppress(DaemonUnreachable):
        while not told["over"]:
            line = _line(told)
            if line != shown:
                complain(line)
                shown = line
            told = call(settings, "gateway.drain.follow", {})
        while call(settings, "status", {}):
            time.sleep(LOOK_SECONDS)
    seconds, left = round(time.monotonic() - began, 1), told["left"] or {}
    if as_json:
        emit({"seconds": seconds, "left": left}, as_json=True)
        return
    if _any(left):
        complain(f"not finished, kept in the store: {_counts(left)}")
    sys.stdout.write(f"the gateway has left, after {seconds:g} s\n")


def _any(left: dict[str, int | None]) -> bool:
    """Whether anything runs; what the gateway cannot count just now may."""
    return any(number is None or number for number in left.values())


def _line(told: dict[str, Any]) -> str:
    left = told["left"]
    if left is None:
        return "draining"
    return f"draining, still running: {_counts(left)}" if _any(left) else "draining, nothing runs any more"


def _counts(left: dict[str, int | None]) -> str:
    return ", ".join(f"{name}: {'unknown' if number is None else number}" for name, number in left.items())
