"""`tpo sim`: the inventory of SIM cards, and their comparison with what the hosts hold."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli import completion, context
from gateway.cli.commands import sim_orders
from gateway.cli.commands.sim_bulk import bulk
from gateway.cli.commands.sim_orders import Card
from gateway.cli.context import AsJson
from gateway.cli.errors import CommandFailed, ExitCode
from gateway.cli.output import complain, emit
from provisioning.sim_lifecycle import SimState

if TYPE_CHECKING:
    from gateway.cli.csv_rows import Check
    from gateway.sims.views import SimRow

CHUNK: Final = 500
COLUMNS: Final = ("iccid", "imsi", "ki", "opc", "eid", "op")
"""`op` is known to be refused with a word of its own: it is the operator's, and not a card's."""
PAGE: Final = 1000
"""Cards that the gateway lists in one answer."""
RECONCILE_SECONDS: Final = 3600.0
"""Every card is read from its host, at the host's pace."""
BRIEF: Final = ("iccid", "state", "suspended_for", "msisdn", "plan", "host", "observed", "order", "updated_at")
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
Why = Annotated[str, typer.Option("--reason", help="Why, in your own words; it stands in the history.")]


@app.callback()
def _group() -> None:
    """Work on SIM cards: import, list, show, activate, suspend, resume, swap, terminate, amend, scrap, bulk, reconcile."""


@app.command("import")
def import_file(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV: iccid, imsi, ki, opc, eid; keys in hexadecimal.")],
    accept_checksum: Annotated[
        bool,
        typer.Option(
            "--accept-checksum",
            help="Take ICCIDs whose check digit is wrong or left out, and those that look rounded; else they are refused.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take cards into the inventory, their keys sealed at once; run again, unchanged rows pass and differing ones are reported.

    The columns ki, opc and eid may be left out. No key is ever shown. The file is checked whole before anything is taken;
    separated by `,` `;` or tabs, in UTF-8 or UTF-16. Exits with 75 if some rows were not taken, 1 if none were.

    \b
    Examples:
      tpo sim import cards.csv
      tpo sim import cards.csv --json
    """
    from gateway.api.answers.sims import ImportedSims  # noqa: PLC0415  (as below)
    from gateway.cli.backend import asking  # noqa: PLC0415  (`tpo --help` starts faster)
    from gateway.cli.csv_rows import conclude, import_rows  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        report = import_rows(
            ask,
            "sim.import",
            ImportedSims,
            file,
            required=("iccid", "imsi"),
            known=COLUMNS,
            chunk=CHUNK,
            accept_checksum=accept_checksum,
            check=_watch_opc(),
        )
    conclude(report, file, as_json=as_json)


def _watch_opc() -> Check:
    """Look for an OP that was given as OPc over the whole file: the gateway sees one chunk at a time."""
    from gateway.cli.csv_table import Row  # noqa: PLC0415  (as above)
    from provisioning.errors import IdentifierInvalid  # noqa: PLC0415  (as above)
    from provisioning.identifiers import OpcWatch, read_keys  # noqa: PLC0415  (as above)

    watch = OpcWatch()

    def check(row: Row) -> str:
        try:
            keys = read_keys(row.values)
        except IdentifierInvalid:
            return ""  # the gateway says why
        try:
            if keys is not None:
                watch.check(keys, row.line)
        except IdentifierInvalid as error:
            return str(error)
        return ""

    return check


@app.command("list")
def list_sims(
    ctx: typer.Context,
    state: Annotated[SimState | None, typer.Option(help="Only cards in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The most cards to show.")] = 20,
    after: Annotated[str, typer.Option(help="Go on behind this ICCID.")] = "",
    as_json: AsJson = False,
) -> None:
    """List cards in the order of their ICCIDs: what is intended, how the host held it last, and the order at work.

    \b
    Examples:
      tpo sim list
      tpo sim list --state suspended --limit 100
      tpo sim list --limit 100000 --json
    """
    from gateway.api.answers.sims import SimPage  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    rows: list[SimRow] = []
    following: str | None = after
    with asking(context.of(ctx).client_settings) as ask:
        while following is not None and len(rows) < limit:
            params = {"state": state, "after": following, "limit": min(PAGE, limit - len(rows))}
            page = ask("sim.list", params, SimPage)
            rows += page.rows
            following = page.next
    emit(rows, as_json=as_json, columns=BRIEF)


@app.command()
def show(ctx: typer.Context, iccid: Card, as_json: AsJson = False) -> None:
    """Show a card, then what happened to it.

    \b
    Examples:
      tpo sim show 8944100000000000013
      tpo sim show 8944100000000000013 --json
    """
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)
    from gateway.cli.client import JsonObject, Listing  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        card = ask("sim.show", {"iccid": iccid}, JsonObject)
        history = ask("sim.history", {"iccid": iccid}, Listing).rows
    if as_json:
        emit(card | {"history": history}, as_json=True)
        return
    emit(card, as_json=False)
    sys.stdout.write("\n")
    emit(history, as_json=False)


sim_orders.add_to(app)


@app.command()
def amend(
    ctx: typer.Context,
    iccid: Card,
    reason: Why,
    imsi: Annotated[str, typer.Option(help="The right IMSI, for a card in stock.")] = "",
    eid: Annotated[str, typer.Option(help="The right EID.")] = "",
    keys: Annotated[
        Path | None,
        typer.Option(help="CSV as for `tpo sim import`, with this card's row: ki and opc are taken from it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put right what a card was imported with. Keys come from a file, so that no command line has them.

    Keys and EID of a card in service may be put right, too: its host keeps what it has. A card with a wrong ICCID is scrapped,
    and the right one imported. Who did it and why stands in the card's history. Admins only; works while the gateway is
    stopped, too.

    \b
    Examples:
      tpo sim amend 8944100000000000013 --imsi 234150000000013 --reason "columns were mixed up"
      tpo sim amend 8944100000000000013 --keys cards.csv --reason "vendor sent other keys" --json
    """
    params: dict[str, object] = {"iccid": iccid, "reason": reason, "imsi": imsi, "eid": eid}
    _ask(ctx, "sim.amend", params | (_keys_of(keys, iccid) if keys is not None else {}), as_json=as_json)


@app.command()
def scrap(ctx: typer.Context, iccid: Card, reason: Why, as_json: AsJson = False) -> None:
    """Destroy a card in stock: its keys are forgotten, and its IMSI may be another card's. This cannot be taken back.

    Admins only; works while the gateway is stopped, too.

    \b
    Examples:
      tpo sim scrap 8944100000000000013 --reason "printed with a wrong number"
      tpo sim scrap 8944100000000000013 --reason "broken in the post" --json
    """
    _ask(ctx, "sim.scrap", {"iccid": iccid, "reason": reason}, as_json=as_json)


def _keys_of(file: Path, iccid: str) -> dict[str, object]:
    """Read the keys of a card from its row of a file; CommandFailed where it has none there."""
    from gateway.cli.csv_rows import read_rows  # noqa: PLC0415  (as above)

    wanted = iccid.strip().rstrip("Ff")
    for row in read_rows(file, ("iccid", "ki", "opc"), COLUMNS):
        if row.values["iccid"].strip().rstrip("Ff") == wanted:
            return {name: row.values[name] for name in ("ki", "opc")}
    raise CommandFailed(
        "the file has no row of this card", where=str(file), to_do="give a file with its ICCID, ki and opc"
    )


def _ask(ctx: typer.Context, action: str, params: Mapping[str, object], *, as_json: bool) -> None:
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)
    from gateway.cli.client import JsonObject  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        emit(ask(action, params, JsonObject), as_json=as_json)


app.command()(bulk)


@app.command()
def reconcile(
    ctx: typer.Context,
    host: Annotated[str | None, typer.Option(help="Only cards of this host.", autocompletion=completion.hosts)] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Bring the hosts to what is intended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare the inventory with the hosts: cards that stand otherwise than intended, and lines there that are not ours.

    Every card is read back from its host, and every host's own list is compared with the inventory: a card of ours that is to
    be in stock, an IMSI that is not ours, a number of ours on it. Nothing of those is ever repaired. Cards that an order works
    on are left alone. Exits with 75 if differences remain, 69 if a host is not reached.

    \b
    Examples:
      tpo sim reconcile
      tpo sim reconcile --json
      tpo sim reconcile --host operator-hlr --repair
    """
    from gateway.cli.client import call  # noqa: PLC0415  (as above)
    from gateway.sims.views import Reconciliation  # noqa: PLC0415  (as above)

    params = {"host": host, "repair": repair}
    settings = context.of(ctx).client_settings
    found = call(settings, "sim.reconcile", params, Reconciliation, timeout=RECONCILE_SECONDS)
    rows = [*found.rows, *found.strangers]
    if rows or as_json:
        emit(rows, as_json=as_json)
    elif not found.unreachable:
        sys.stdout.write("every card stands at its host as intended\n")
    left = sum(not row.repaired for row in found.rows)
    if not as_json:
        _advise(left, len(found.strangers), repair=repair)
    if found.unreachable:
        lost = "; ".join(f"the host {each.host} was not reached: {each.detail}" for each in found.unreachable)
        raise CommandFailed(
            lost, to_do="see docs/runbooks/host-unreachable.md, then compare again", exit_code=ExitCode.UNREACHABLE
        )
    if left or found.strangers:
        raise typer.Exit(ExitCode.PARTLY_DONE)


def _advise(left: int, strangers: int, *, repair: bool) -> None:
    """Say what is to be done about cards that differ, and about lines that are not ours."""
    if left:
        to_do = "look at the hosts" if repair else "--repair brings the hosts to what is wanted"
        complain(f"tpo: {left} card{'s' * (left != 1)} differ{'s' * (left == 1)}; {to_do}")
    if strangers:
        are = "are not ours" if strangers != 1 else "is not ours"
        complain(
            f"tpo: {strangers} line{'s' * (strangers != 1)} at the hosts {are}; ask the hosts whose, and have them barred"
        )
