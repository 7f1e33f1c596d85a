"""`tpo status`: how the running gateway does."""

from __future__ import annotations

import time
from typing import Any

import typer

from gateway.cli import invocation
from gateway.cli.invocation import AsJson
from gateway.cli.output import emit

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show state, peers, the write lane and the broker of the running gateway; exits with 69 if none runs.

    \b
    Examples:
      tpo status
      tpo status --json
    """
    from gateway.cli.client import call  # noqa: PLC0415  (`tpo --help` needs no settings)

    found = call(invocation.of(ctx).client_settings, "status", {})
    if as_json:
        emit(found, as_json=True)
        return
    emit(_summary(found), as_json=False)
    if found["peers"]:
        emit(found["peers"], as_json=False)


def _summary(found: dict[str, Any]) -> dict[str, Any]:
    lane, events = found["lane"], found["events"]
    return {
        "state": found["state"],
        "node": found["node"],
        "up for": f"{time.time() - found['since']:.0f} s",
        "ready": found["ready"],
        "write lane": {
            "waiting": lane["waiting"],
            "batches": lane["batches"],
            "units": lane["units"],
            "poisoned": lane["poisoned"],
        },
        "events": "no broker configured" if events is None else events,
    }
