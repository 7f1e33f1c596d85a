"""`tpo trace`: what goes over the wire about a line or a link, for a while; and what could not be read."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from gateway.cli import completion, context
from gateway.cli.context import AsJson
from gateway.cli.errors import CommandFailed, ExitCode
from gateway.cli.node_rows import complain_of, for_people, shares_store, with_silent
from gateway.cli.output import complain, emit, plain

if TYPE_CHECKING:
    from gateway.api.answers.nodes import NodeProblem
    from gateway.api.answers.traces import TraceMessage, TraceRow, TraceRows, TraceSeen

Answer = TypeVar("Answer")
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
Content = Annotated[
    bool, typer.Option("--show-content", help="Numbers and texts in clear (root or the gateway's user; it is logged).")
]
POLL: Final = 0.5
"""Seconds between two looks at a trace that is followed."""
BRIEF: Final = ("id", "subject", "state", "until", "messages", "missed", "pcap", "by")


@app.callback()
def _group() -> None:
    """See live what goes over SMPP, Diameter and provisioning about one line or link; masked, and never for ever.

    Several gateways on one store listen together, and are shown together.
    """


@app.command()
def start(
    ctx: typer.Context,
    *,
    msisdn: Annotated[str | None, typer.Option(help="The line with this number, country code first.")] = None,
    imsi: Annotated[str | None, typer.Option(help="The line with this IMSI.")] = None,
    link: Annotated[
        str | None,
        typer.Option(
            help="An SMPP link, a Diameter peer or a provisioning host.", autocompletion=completion.listened_to
        ),
    ] = None,
    duration: Annotated[str, typer.Option("--for", help="How long: 30s, 10m, 2h; 24h at most.")] = "10m",
    pcap: Annotated[
        Path | None,
        typer.Option(help="Also write a file for Wireshark, as the gateway's user: a new one, NAME.pcap."),
    ] = None,
    show_content: Content = False,
    as_json: AsJson = False,
) -> None:
    """Begin to listen, and return at once; the trace ends by itself, or by `tpo trace stop`.

    A line is followed under all its numbers: texts, charging requests with their answers and sessions, and what its host is
    asked. The file opens in Wireshark and tshark (link type 252), also while it grows. Of several gateways on one store each
    writes its own, on its own machine: NAME.GATEWAY.pcap.

    \b
    Examples:
      tpo trace start --msisdn 447700900101 --for 10m
      tpo trace start --link pgw.host.example --for 1h --pcap /var/lib/tpo/pgw.pcap
      tpo trace start --imsi 234150000000101 --for 30s --show-content --json
    """
    from gateway.api.answers.traces import StartedTrace  # noqa: PLC0415  (as below)
    from gateway.settings.values import parse_duration  # noqa: PLC0415  (pydantic; `tpo --help` needs none)

    try:
        seconds = parse_duration(f"{duration}s" if duration[-1:].isdecimal() else duration)
    except ValueError as error:
        raise CommandFailed(str(error), where="--for", to_do="give 30s, 10m or 2h", exit_code=ExitCode.USAGE) from None
    params = {"msisdn": msisdn, "imsi": imsi, "link": link, "seconds": seconds, "show_content": show_content}
    if sum(value is not None for value in (msisdn, imsi, link)) != 1:
        what = "a trace is about one line or one link"
        raise CommandFailed(what, to_do="give one of --msisdn, --imsi, --link", exit_code=ExitCode.USAGE)
    if pcap is not None:
        params["pcap"] = str(pcap.absolute())
    found = _ask(ctx, "trace.start", params, StartedTrace)
    if as_json:
        emit(found, as_json=True)
        return
    if not found.known:
        complain("tpo: no line has this number now; what carries the number itself is traced")
    if found.others or found.silent:
        emit(_rows_of([found, *found.others], found.silent, BRIEF), as_json=False)
    else:
        emit(found, as_json=False, columns=BRIEF)
    complain(f"see it with `tpo trace show {found.id} --follow`, end it with `tpo trace stop {found.id}`")


@app.command("list")
def list_traces(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the traces that run, and the last that ended, with the reason of their end.

    \b
    Examples:
      tpo trace list
      tpo trace list --json
    """
    _list(_ask(ctx, "trace.list", {}, _trace_rows()), (*BRIEF, "ended"), as_json=as_json)


@app.command()
def show(
    ctx: typer.Context,
    trace: Annotated[str | None, typer.Argument(metavar="[ID]", help="The trace; without it the latest.")] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the trace ends, or you interrupt.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a trace saw, a line a message: the last thousand are kept.

    With `--follow --json` each message is an object on a line of its own.

    \b
    Examples:
      tpo trace show
      tpo trace show 3 --follow
      tpo trace show 3 --json
    """
    from gateway.api.answers.traces import TraceSeen  # noqa: PLC0415  (as above)

    found = _ask(ctx, "trace.show", {"id": trace}, TraceSeen)
    complain_of(found.silent)
    if not follow:
        several = shares_store(context.of(ctx).client_settings)
        emit(found.rows if as_json else [_brief(row, with_node=several) for row in found.rows], as_json=as_json)
        return
    try:
        _follow(ctx, found, as_json=as_json)
    except KeyboardInterrupt:
        complain(f"tpo: trace {found.trace.id} goes on without you until {found.trace.until}")


@app.command()
def stop(
    ctx: typer.Context,
    trace: Annotated[str | None, typer.Argument(metavar="[ID]", help="The trace; without it all of them.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """End a trace, or all that run; their files are whole when this returns.

    \b
    Examples:
      tpo trace stop 3
      tpo trace stop
    """
    _list(_ask(ctx, "trace.stop", {"id": trace}, _trace_rows()), BRIEF, as_json=as_json)


@app.command()
def undecodable(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A link or peer; without it all.", autocompletion=completion.listened_to),
    ] = None,
    *,
    show_content: Content = False,
    as_json: AsJson = False,
) -> None:
    """Show the last message of each link and peer that could not be read: when, why, and its octets in hexadecimal.

    Without --show-content everything behind the header is overwritten.

    \b
    Examples:
      tpo trace undecodable
      tpo trace undecodable smsc-1 --show-content --json
    """
    from msgspec.structs import asdict  # noqa: PLC0415  (as above)

    from gateway.api.answers.traces import UndecodableMessage, UndecodableMessages  # noqa: PLC0415  (as above)

    found = _ask(ctx, "trace.undecodable", {"name": name, "show_content": show_content}, UndecodableMessages)
    complain_of(found.silent)
    rows = [asdict(row) for row in found.rows]
    names = [name for name in UndecodableMessage.__struct_fields__ if name != "node"]
    emit(rows if as_json else for_people(rows, names), as_json=as_json)


def _trace_rows() -> type[TraceRows]:
    from gateway.api.answers.traces import TraceRows  # noqa: PLC0415  (`tpo --help` starts faster)

    return TraceRows


def _list(found: TraceRows, brief: Sequence[str], *, as_json: bool) -> None:
    from gateway.api.answers.traces import TraceRow  # noqa: PLC0415  (as above)

    names = TraceRow.__struct_fields__ if as_json else brief
    emit(_rows_of(found.rows, found.silent, names), as_json=as_json)


def _rows_of(
    traces: Sequence[TraceRow], silent: Sequence[NodeProblem], names: Sequence[str]
) -> list[Mapping[str, object]]:
    """Return traces as rows with these fields, and a row for each gateway that gave no answer."""
    rows = [{name: getattr(trace, name) for name in (*names, "node")} for trace in traces]
    found = with_silent(rows, silent, names)
    return found if "node" in names else for_people(found, names)


def _follow(ctx: typer.Context, found: TraceSeen, *, as_json: bool) -> None:
    """Print lines as they come, up to the trace's end."""
    import json  # noqa: PLC0415  (for this option only)

    from msgspec.structs import asdict  # noqa: PLC0415  (as above)

    after_at: dict[str, int] = {}
    several = shares_store(context.of(ctx).client_settings)
    while True:
        for row in found.rows:
            after_at[row.node] = row.number
            typer.echo(
                json.dumps(asdict(row)) if as_json else plain("  ".join(_brief(row, with_node=several).values()))
            )
        trace = found.trace
        if trace.state == "ended" and not found.rows:
            complain(f"trace {trace.id} has ended: {trace.ended}")
            return
        time.sleep(POLL)
        after = after_at.get("", 0)  # of a gateway that was not restarted yet, and names none
        found = _ask(ctx, "trace.show", {"id": trace.id, "after": after, "after_at": after_at}, type(found))


def _brief(row: TraceMessage, *, with_node: bool) -> dict[str, str]:
    number = "" if row.sequence is None else str(row.sequence)
    way = "->" if row.way == "out" else "<-"
    told = {"at": row.at, "way": way, "name": row.name, "what": row.what, "number": number}
    return {**told, "status": row.status, "numbers": row.numbers} | ({"node": row.node} if with_node else {})


def _ask(ctx: typer.Context, action: str, params: Mapping[str, object], kind: type[Answer]) -> Answer:
    from gateway.cli.client import call  # noqa: PLC0415  (`tpo --help` starts faster)

    return call(context.of(ctx).client_settings, action, params, kind)
