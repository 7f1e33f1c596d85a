"""`tpo session`: the charging sessions that are open, and what may be asked of their clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli import completion, context
from gateway.cli.context import AsJson
from gateway.cli.errors import CommandFailed, ExitCode
from gateway.cli.node_rows import for_people, shares_store
from gateway.cli.output import emit

if TYPE_CHECKING:
    from gateway.charging.views import GroupView

BRIEF: Final = ("id", "state", "service", "msisdn", "peer", "opened_at", "reserved", "currency")
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
Id = Annotated[str, typer.Argument(metavar="ID", help="The number that `list` shows, or the Session-Id, in quotes.")]


@app.callback()
def _group() -> None:
    """See the charging sessions, have them reported, end them. The gateway has to run.

    Of several gateways on one store the one that reaches a session's client asks it, whichever you ask.
    """


@app.command("list")
def list_sessions(
    ctx: typer.Context,
    number: Annotated[str | None, typer.Option(help="Only sessions of the line with this MSISDN or IMSI.")] = None,
    peer: Annotated[
        str | None, typer.Option(help="Only sessions whose reports come by this peer.", autocompletion=completion.peers)
    ] = None,
    closed: Annotated[bool, typer.Option("--closed", help="Sessions that are over as well.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=5000, help="The most sessions to show.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List open sessions, newest first.

    \b
    Examples:
      tpo session list
      tpo session list --number 447700900101 --closed
      tpo session list --peer pgw.host.example --limit 1000 --json
    """
    from gateway.cli.client import Listing, call  # noqa: PLC0415  (`tpo --help` starts faster)

    params = {"number": number, "peer": peer, "closed": closed, "limit": limit}
    settings = context.of(ctx).client_settings
    rows = call(settings, "session.list", params, Listing).rows
    emit(rows if as_json else for_people(rows, BRIEF, several=shares_store(settings)), as_json=as_json)


@app.command()
def show(ctx: typer.Context, session: Id, as_json: AsJson = False) -> None:
    """Show one session: who, since when, what each rating group used and holds.

    \b
    Examples:
      tpo session show 1099511627790
      tpo session show 'pgw.host.example;1479;1;7a' --json
    """
    from msgspec.structs import asdict  # noqa: PLC0415  (as above)

    from gateway.charging.views import SessionView  # noqa: PLC0415  (as above)
    from gateway.cli.client import call  # noqa: PLC0415  (as above)

    found = call(context.of(ctx).client_settings, "session.show", {"id": session}, SessionView)
    if as_json:
        emit(found, as_json=True)
    else:
        emit(asdict(found) | {"groups": [_brief(group) for group in found.groups]}, as_json=False)


@app.command()
def reauth(ctx: typer.Context, session: Id, as_json: AsJson = False) -> None:
    """Have a session reported now, so that a new balance, plan or status takes effect (RAR).

    Exits with 1 if the client refuses or does not have the session, 69 if it cannot be reached.

    \b
    Examples:
      tpo session reauth 1099511627790
    """
    _ask(ctx, "session.reauth", session, as_json=as_json)


@app.command()
def abort(ctx: typer.Context, session: Id, as_json: AsJson = False) -> None:
    """End a session (ASR): its client reports what was used; one that its client does not have is closed at once.

    Exits with 1 if the client refuses, 69 if it cannot be reached; the session stays open then until its time is over.

    \b
    Examples:
      tpo session abort 1099511627790
      tpo session abort 'pgw.host.example;1479;1;7a' --json
    """
    _ask(ctx, "session.abort", session, as_json=as_json)


def _ask(ctx: typer.Context, action: str, session: str, *, as_json: bool) -> None:
    from gateway.api.answers.sessions import SessionReply  # noqa: PLC0415  (as above)
    from gateway.cli.client import call  # noqa: PLC0415  (as above)

    reply = call(context.of(ctx).client_settings, action, {"id": session}, SessionReply)
    emit(reply, as_json=as_json)
    if reply.result == "accepted" or (reply.closed and action == "session.abort"):
        return
    where = f"{reply.request} to {reply.peer}"
    why = reply.detail or f"Result-Code {reply.result_code}"
    if reply.result == "unreachable":
        to_do = "look at the peer with `tpo status`, then ask again"
        what = f"the session's client was not reached: {why}"
        raise CommandFailed(what, where=where, to_do=to_do, exit_code=ExitCode.UNREACHABLE)
    if reply.result == "unknown":
        raise CommandFailed("the client does not have this session; it was closed", where=where)
    raise CommandFailed(f"the client refused: {why}", where=where)


def _brief(group: GroupView) -> dict[str, object]:
    """Put a rating group on one line: what was used, and what all its grants come to."""
    granted = sum(grant.granted for grant in group.grants)
    return {"rating_group": group.rating_group, "used": group.used, "granted": granted}
