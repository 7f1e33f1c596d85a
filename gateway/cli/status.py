"""`tpo status`: how the running gateway does, once or for as long as one watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from gateway.cli import context
from gateway.cli.context import AsJson
from gateway.cli.errors import CommandFailed
from gateway.cli.output import emit

app = typer.Typer(rich_markup_mode=None, add_completion=False)
CLEAR: Final = "\x1b[H\x1b[2J"
"""Home, and an empty screen (ECMA-48)."""
PEER_COLUMNS: Final = ("identity", "state", "watchdog", "since", "pending", "requests_in", "requests_out")
"""The rest is in --json."""
LINK_COLUMNS: Final = ("name", "state", "address", "waiting", "unanswered", "wanted", "suspended")


@app.command()
def status(
    ctx: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again and again, until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option(min=0.2, max=3600, help="Seconds between two looks.")] = 2.0,
    count: Annotated[int, typer.Option(min=0, help="With --watch: end after so many looks; 0 = never.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show state, peers, links, the write lane and the broker of the running gateway; exits with 69 if none runs.

    With --watch, a gateway that goes away is waited for; rates are those since the look before. --json prints an object
    a look.

    \b
    Examples:
      tpo status
      tpo status --json
      tpo status --watch --interval 5
    """
    from gateway.cli.client import call  # noqa: PLC0415  (`tpo --help` needs no settings)

    settings = context.of(ctx).client_settings

    def look() -> dict[str, Any]:
        return {**call(settings, "status", {}), "links": call(settings, "link.list", {})["rows"]}

    if watch:
        _watch(look, interval, count, as_json=as_json)
    else:
        _show(look(), as_json=as_json)


def _watch(look: Callable[[], dict[str, Any]], interval: float, count: int, *, as_json: bool) -> None:
    """Look until Ctrl-C, or `count` times; a terminal is painted anew each time, a pipe gets one look below the other."""
    looks, before = 0, None
    try:
        while True:
            found, trouble = _try(look)
            if sys.stdout.isatty() and not as_json:
                sys.stdout.write(CLEAR)
            if found is None:
                _show_absence(trouble, as_json=as_json)
            else:
                _show(found, _rates(before, found), as_json=as_json)
            sys.stdout.flush()
            looks, before = looks + 1, found
            if looks == count:
                return
            time.sleep(interval)
    except KeyboardInterrupt:
        return


def _try(look: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any] | None, str]:
    try:
        return {**look(), "at": time.time()}, ""
    except CommandFailed as failure:
        return None, failure.what


def _show_absence(trouble: str, *, as_json: bool) -> None:
    emit({"state": "unreachable", "detail": trouble, "at": time.time()}, as_json=as_json)


def _show(found: dict[str, Any], rates: dict[str, Any] | None = None, *, as_json: bool) -> None:
    if as_json:
        emit({**found, **({"rates": rates} if rates else {})}, as_json=True)
        return
    emit({**_summary(found), **(rates or {})}, as_json=False)
    if found["peers"]:
        sys.stdout.write("\nDiameter peers:\n")
        emit([{name: peer.get(name) for name in PEER_COLUMNS} for peer in found["peers"]], as_json=False)
    if found["links"]:
        sys.stdout.write("\nSMPP links:\n")
        emit([{name: link[name] for name in LINK_COLUMNS} for link in found["links"]], as_json=False)


def _rates(before: dict[str, Any] | None, now: dict[str, Any]) -> dict[str, Any]:
    """Tell what the lane and the peers did a second since the look before, unless the gateway began anew meanwhile."""
    if before is None or before["since"] != now["since"]:
        return {}
    seconds: float = max(now["at"] - before["at"], 0.001)

    def rate(count: Callable[[dict[str, Any]], int]) -> float:
        return round(max(0, count(now) - count(before)) / seconds, 1)

    return {
        "units/s": rate(lambda look: look["lane"]["units"]),
        "requests in/s": rate(lambda look: sum(peer["requests_in"] for peer in look["peers"])),
        "texts out/s": rate(lambda look: sum(link["counters"]["requests_out"] for link in look["links"])),
        "texts in/s": rate(lambda look: sum(link["counters"]["requests_in"] for link in look["links"])),
    }


def _summary(found: dict[str, Any]) -> dict[str, Any]:
    lane, events, drain = found["lane"], found["events"], found["drain"]
    return {
        "state": found["state"],
        **({"drain": drain} if drain else {}),
        "node": found["node"],
        "up for": _span(time.time() - found["since"]),
        "ready": found["ready"],
        "write lane": {
            "waiting": lane["waiting"],
            "batches": lane["batches"],
            "units": lane["units"],
            "poisoned": lane["poisoned"],
        },
        "events": "no broker configured" if events is None else events,
    }


def _span(seconds: float) -> str:
    """Tell a time span in its two largest units."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [
        f"{count} {unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")) if count
    ]
    return " ".join(parts[:2]) or "0 s"
