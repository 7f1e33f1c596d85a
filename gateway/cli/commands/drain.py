"""`tpo drain`: have the running gateway leave in peace."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli import context
from gateway.cli.context import AsJson
from gateway.cli.output import complain, emit

if TYPE_CHECKING:
    from gateway.api.answers.nodes import DrainLeft

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
    from gateway.api.answers.nodes import DrainState  # noqa: PLC0415  (as below)
    from gateway.cli.client import DaemonUnreachable, JsonObject, call  # noqa: PLC0415  (`tpo --help` starts faster)

    settings = context.of(ctx).client_settings
    state, began = call(settings, "gateway.drain", {"timeout": timeout}, DrainState), time.monotonic()
    shown = ""
    with suppress(DaemonUnreachable):
        while not state.over:
            line = _line(state.left)
            if line != shown:
                complain(line)
                shown = line
            state = call(settings, "gateway.drain.follow", {}, DrainState)
        while call(settings, "status", {}, JsonObject):
            time.sleep(LOOK_SECONDS)
    seconds, left = round(time.monotonic() - began, 1), state.left
    if as_json:
        emit({"seconds": seconds, "left": {} if left is None else left}, as_json=True)
        return
    if left:
        complain(f"not finished, kept in the store: {_counts(left)}")
    sys.stdout.write(f"the gateway has left, after {seconds:g} s\n")


def _line(left: DrainLeft | None) -> str:
    if left is None:
        return "draining"
    return f"draining, still running: {_counts(left)}" if left else "draining, nothing runs any more"


def _counts(left: DrainLeft) -> str:
    numbers = {"sessions": left.sessions, "texts": left.texts, "orders": left.orders}
    return ", ".join(f"{name}: {'unknown' if number is None else number}" for name, number in numbers.items())
