"""`tpo status`: how the running gateway does, once or for as long as one watches."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from threading import Event
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from gateway.cli import context
from gateway.cli.context import AsJson
from gateway.cli.errors import CommandFailed
from gateway.cli.node_rows import for_people, with_silent
from gateway.cli.output import emit
from gateway.events.times import MICROSECONDS, rfc3339

if TYPE_CHECKING:
    import msgspec

    from gateway.api.answers.nodes import GatewayStatus
    from gateway.api.answers.texts import LinkView

Row = Mapping[str, object]
app = typer.Typer(rich_markup_mode=None, add_completion=False)
CLEAR: Final = "\x1b[H\x1b[2J"
"""Home, and an empty screen (ECMA-48)."""
PEER_COLUMNS: Final = ("identity", "state", "watchdog", "since", "pending", "requests_in", "requests_out")
"""The rest is in --json."""
CONCERN_COLUMNS: Final = ("severity", "words", "runbook")
HOST_COLUMNS: Final = ("name", "reachable", "trouble")
GATEWAY_COLUMNS: Final = ("node", "state", "since", "ready", "peers", "waiting", "concerns")
LINK_COLUMNS: Final = ("name", "state", "address", "waiting", "unanswered", "wanted", "suspended")


@app.command()
def status(
    ctx: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again and again, until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option(min=0.2, max=3600, help="Seconds between two looks.")] = 2.0,
    count: Annotated[int, typer.Option(min=0, help="With --watch: end after so many looks; 0 = never.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show state, peers, hosts, links, the write lane and the broker of the running gateway; exits with 69 if none runs.

    Of several gateways on one store all are shown, also those that give no answer; state, lane and broker are the asked one's.
    With --watch, a gateway that goes away is waited for; rates are those since the look before. --json prints an object
    a look.

    \b
    Examples:
      tpo status
      tpo status --json
      tpo status --watch --interval 5
    """
    from gateway.api.answers.nodes import GatewayStatus  # noqa: PLC0415  (as below)
    from gateway.api.answers.texts import Links  # noqa: PLC0415  (as below)
    from gateway.cli.client import call  # noqa: PLC0415  (`tpo --help` needs no settings)

    settings = context.of(ctx).client_settings

    def look() -> Look:
        gateway = call(settings, "status", {"all": True}, GatewayStatus)
        return Look(gateway, call(settings, "link.list", {}, Links).rows, time.time())

    if watch:
        _watch(look, interval, count, as_json=as_json)
    else:
        _show(look(), {}, as_json=as_json)


class Look(NamedTuple):
    """How the gateway does and its links do, and when that was asked for (Unix time)."""

    gateway: GatewayStatus
    links: list[LinkView]
    at: float


def _watch(look: Callable[[], Look], interval: float, count: int, *, as_json: bool) -> None:
    """Look until Ctrl-C, or `count` times; a terminal is painted anew each time, a pipe gets one look below the other."""
    looks, before = 0, None
    with suppress(KeyboardInterrupt), _interrupted() as interrupted:
        while not interrupted.is_set():
            found, trouble = _try(look)
            if sys.stdout.isatty() and not as_json:
                sys.stdout.write(CLEAR)
            if found is None:
                emit(
                    {"state": "unreachable", "detail": trouble, "at": rfc3339(int(time.time() * MICROSECONDS))},
                    as_json=as_json,
                )
            else:
                rates = _rates(before, found)
                _show(
                    found,
                    {"at": rfc3339(int(found.at * MICROSECONDS)), **({"rates": rates} if rates else {})}
                    if as_json
                    else rates,
                    as_json=as_json,
                )
            sys.stdout.flush()
            looks, before = looks + 1, found
            if looks == count:
                return
            time.sleep(interval)


@contextmanager
def _interrupted() -> Iterator[Event]:
    """Remember a Ctrl-C: what is raised in the middle of a finalizer is dropped."""
    seen = Event()

    def interrupt(*_: object) -> None:
        seen.set()
        raise KeyboardInterrupt

    usual = signal.signal(signal.SIGINT, interrupt)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, usual)


def _try(look: Callable[[], Look]) -> tuple[Look | None, str]:
    try:
        return look(), ""
    except CommandFailed as failure:
        return None, failure.what


def _show(found: Look, more: Mapping[str, object], *, as_json: bool) -> None:
    if as_json:
        fields = {name: getattr(found.gateway, name) for name in found.gateway.__struct_fields__}
        emit({**fields, "links": found.links, **more}, as_json=True)
        return
    gateway = found.gateway
    emit({**_summary(gateway), **more}, as_json=False)
    several = bool(gateway.others or gateway.silent)
    if several:
        gateways = with_silent([_in_a_row(each) for each in _all_of(gateway)], gateway.silent, GATEWAY_COLUMNS)
        _table("Gateways on this store", gateways, GATEWAY_COLUMNS, several=True)
    for title, rows, columns in (
        ("Things to look at", _rows_of(gateway, "concerns"), CONCERN_COLUMNS),
        ("Diameter peers", _rows_of(gateway, "peers"), PEER_COLUMNS),
        ("Hosts", _rows_of(gateway, "hosts"), HOST_COLUMNS),
        ("SMPP links", [_as_row(link) for link in found.links], LINK_COLUMNS),
    ):
        _table(title, rows, columns, several=several)


def _table(title: str, rows: Sequence[Row], columns: Sequence[str], *, several: bool) -> None:
    """Print a table under its title, unless it is empty; of several gateways each row says which one."""
    if rows:
        sys.stdout.write(f"\n{title}:\n")
        emit(for_people(rows, columns, several=several), as_json=False)


def _all_of(gateway: GatewayStatus) -> list[GatewayStatus]:
    return [gateway, *gateway.others]


def _rows_of(gateway: GatewayStatus, what: str) -> list[Row]:
    """Return what all gateways have of something, each row with its gateway."""
    return [_as_row(row) | {"node": each.node} for each in _all_of(gateway) for row in getattr(each, what)]


def _as_row(found: msgspec.Struct) -> dict[str, object]:
    return {name: getattr(found, name) for name in found.__struct_fields__}


def _in_a_row(gateway: GatewayStatus) -> Row:
    """Return a gateway among others."""
    return {
        "node": gateway.node,
        "state": gateway.state,
        "since": gateway.since,
        "ready": all(gateway.ready.values()),
        "peers": sum(peer.state == "open" for peer in gateway.peers),
        "waiting": gateway.lane.waiting,
        "concerns": len(gateway.concerns),
    }


def _rates(before: Look | None, now: Look) -> dict[str, float]:
    """Return what the lane and the peers did a second since the look before, unless the gateway began anew meanwhile."""
    if before is None or before.gateway.since != now.gateway.since:
        return {}
    seconds = max(now.at - before.at, 0.001)

    def rate(count: Callable[[Look], int]) -> float:
        return round(max(0, count(now) - count(before)) / seconds, 1)

    return {
        "units/s": rate(lambda look: look.gateway.lane.units),
        "requests in/s": rate(lambda look: sum(peer.requests_in for peer in look.gateway.peers)),
        "texts out/s": rate(lambda look: sum(link.counters.requests_out for link in look.links)),
        "texts in/s": rate(lambda look: sum(link.counters.requests_in for link in look.links)),
    }


def _summary(found: GatewayStatus) -> dict[str, object]:
    lane, lost = found.lane, [host.name for host in found.hosts if not host.reachable]
    return {
        "state": found.state,
        **({"drain": found.drain} if found.drain else {}),
        "node": found.node,
        "up for": _span(time.time() - datetime.fromisoformat(found.since).timestamp()),
        "ready": found.ready,
        **({"hosts that do not answer": lost} if lost else {}),
        "write lane": {
            "waiting": lane.waiting,
            "batches": lane.batches,
            "units": lane.units,
            "poisoned": lane.poisoned,
            **({"restarts": lane.restarts} if lane.restarts else {}),
        },
        "events": "no broker configured" if found.events is None else found.events,
        **({"backup": found.backup} if found.backup is not None else {}),
    }


def _span(seconds: float) -> str:
    """Return a time span in its two largest units."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [
        f"{count} {unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")) if count
    ]
    return " ".join(parts[:2]) or "0 s"
