"""`tpo bill`: months closed into bills, shown, paid."""

from __future__ import annotations

import sys
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli import completion, context
from gateway.cli.context import AsJson
from gateway.cli.errors import CommandFailed, ExitCode
from gateway.cli.filters import Number
from gateway.cli.output import complain, emit, emit_pages, json_text
from gateway.cli.pages import pages

if TYPE_CHECKING:
    from gateway.api.answers.bills import BillShown, CloseView
    from gateway.cli.client import Ask

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
BRIEF: Final = ("number", "period", "msisdn", "issued_at", "opening", "closing", "due", "due_at", "currency")
CLOSES: Final = (
    "period",
    "revision",
    "state",
    "bills",
    "credit_notes",
    "begun_by",
    "closed_at",
    "reopened_by",
    "reason",
)
OVERDUE: Final = ("msisdn", "state", "since", "bill", "due", "outstanding", "overdue", "currency", "due_at", "next_at")
SUMS: Final = ("section", "what", "currency", "count", "amount")
LOOK_SECONDS: Final = 0.2
"""Between two looks at a close that a running gateway does."""
REPORT_SECONDS: Final = 5.0
LINES: Final = 500
"""Lines of a bank's file that are asked for at once."""
Period = Annotated[str, typer.Argument(help="The month, such as 2026-11, on the operator's clock.")]
ReopenReason = Annotated[str, typer.Option("--reason", help="Why: it is kept with the close.")]
Line = Annotated[str, typer.Argument(metavar="NUMBER", help="The line's phone number, IMSI or ICCID.")]
Form = Annotated[
    str, typer.Option("--format", help="text, json or pdf.", autocompletion=completion.one_of("text", "json", "pdf"))
]
Language = Annotated[
    str, typer.Option(help="en, fr or es; else notices.language.", autocompletion=completion.one_of("en", "fr", "es"))
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.")]


@app.callback()
def _group() -> None:
    """Close months into bills, show each as text, JSON or PDF, and book what is paid for them.

    Each entry of a line is on one bill. What comes late is on the next one, with its own date.
    """


@app.command()
def preview(ctx: typer.Context, period: Period, number: Number = "", as_json: AsJson = False) -> None:
    """Add up what the bills of a month would come to if it were closed now; nothing is written.

    Months before it that are not closed yet are not in it: they have bills of their own. The first month of all that is closed
    has what was before it, too; the answer says so.

    \b
    Examples:
      tpo bill preview 2026-11
      tpo bill preview 2026-11 --number 447700900123 --json
    """
    from gateway.api.answers.bills import Previewed  # noqa: PLC0415  (`tpo --help` starts faster)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        found = ask("bill.preview", {"period": period, "number": number}, Previewed)
    if as_json:
        emit(found, as_json=True)
        return
    emit(found.rows, as_json=False, columns=SUMS)
    notes = [] if found.over else ["the month is not over"]
    if found.closed_first:
        notes.append(f"{found.closed_first} is closed first, and what is of it is not in this")
    if found.has_earlier:
        notes.append(f"all that was before {found.period} is in it, as no month was closed yet")
    sys.stdout.write(f"{found.lines:,} lines{': ' if notes else ''}{'; '.join(notes)}\n")


@app.command()
def close(ctx: typer.Context, period: Period, as_json: AsJson = False) -> None:
    """Close a month: every line gets its bill, and nothing is booked into the month any more. Admins only.

    The gateway works on beside its traffic if this command is stopped; whoever asks again sees how far it is. One that was
    killed goes on behind the last bill.

    \b
    Examples:
      tpo bill close 2026-11
      tpo bill close 2026-11 --json
    """
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        done = _closed(ask, period)
    emit(done, as_json=as_json)


def _closed(ask: Ask, period: str) -> CloseView:
    """Ask until the month is closed, and tell now and then how far it is."""
    from gateway.api.answers.bills import CloseView  # noqa: PLC0415  (as above)

    told_at = time.monotonic()
    found = ask("bill.close", {"period": period}, CloseView)
    while found.state == "running":
        if time.monotonic() >= told_at + REPORT_SECONDS:
            told_at = time.monotonic()
            complain(f"{found.bills:,} bills so far")
        time.sleep(LOOK_SECONDS)
        found = ask("bill.close", {"period": period}, CloseView)
    return found


@app.command()
def closes(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the months that are closed, by whom and when, and those that were reopened.

    \b
    Examples:
      tpo bill closes
      tpo bill closes --json
    """
    from gateway.api.answers.bills import Closes  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        found = ask("bill.closes", {}, Closes)
    emit(found.rows, as_json=as_json, columns=CLOSES)


@app.command()
def reopen(
    ctx: typer.Context,
    period: Period,
    reason: ReopenReason = "",
    confirm: Annotated[bool, typer.Option("--confirm", help="Confirm what another person asked for.")] = False,
    as_json: AsJson = False,
) -> None:
    """Reopen the month that was closed last: one person asks and says why, another one confirms. Admins only.

    Close it again then: lines whose bill changes get a credit note and another bill.

    \b
    Examples:
      tpo bill reopen 2026-11 --reason "the host sent a file late"
      tpo bill reopen 2026-11 --confirm
    """
    from gateway.api.answers.bills import CloseView  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    params = {"period": period, "reason": reason, "confirm": confirm}
    with asking(context.of(ctx).client_settings) as ask:
        emit(ask("bill.reopen", params, CloseView), as_json=as_json)


@app.command("list")
def list_bills(
    ctx: typer.Context,
    period: Annotated[str, typer.Option(help="Only those of this month, such as 2026-11.")] = "",
    number: Number = "",
    notes: Annotated[bool, typer.Option("--credit-notes", help="Credit notes in place of bills.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="The most bills to show.")] = None,
    as_json: AsJson = False,
) -> None:
    """List bills by their numbers; the lines' numbers are masked.

    \b
    Examples:
      tpo bill list --period 2026-11 --limit 20
      tpo bill list --number 447700900123 --json
      tpo bill list --credit-notes
    """
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    wanted = {"period": period, "number": number, "notes": notes}
    with asking(context.of(ctx).client_settings) as ask:
        found = pages(ask, "bill.list", wanted, limit=limit)
        emit_pages((page.rows for page in found), as_json=as_json, columns=BRIEF)


@app.command()
def show(
    ctx: typer.Context,
    number: Line,
    period: Period,
    form: Form = "text",
    itemised: Annotated[
        bool | None,
        typer.Option(
            "--itemised/--unitemised", help="Calls one by one, or sums alone; left out, as the customer asked."
        ),
    ] = None,
    language: Language = "",
    causes: Annotated[
        bool, typer.Option("--with-causes", help="Name the causes (needs the right to see them; it is noted).")
    ] = False,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Show a line's bill of a month: what was used, what it cost, taxes, payments, what is due, and what was given.

    Calls that were free to the caller, helplines among them, are never told one by one.

    \b
    Examples:
      tpo bill show 447700900123 2026-11
      tpo bill show 447700900123 2026-11 --unitemised --language fr
      tpo bill show 447700900123 2026-11 --format pdf -o bill.pdf
      tpo bill show 447700900123 2026-11 --json
    """
    from gateway.api.answers.bills import BillShown  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    wanted = {
        "number": number,
        "period": period,
        "format": "json" if as_json else form,
        "itemised": itemised,
        "causes": causes,
        "language": language,
    }
    with asking(context.of(ctx).client_settings) as ask:
        _write_shown(ask("bill.show", wanted, BillShown), output)


@app.command()
def note(
    ctx: typer.Context,
    number: Annotated[int, typer.Argument(min=1, help="The credit note, as `tpo bill list --credit-notes` has it.")],
    form: Form = "text",
    language: Language = "",
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Show a credit note: what was given back of prices, or a bill that was taken back as a whole.

    \b
    Examples:
      tpo bill note 12
      tpo bill note 12 --format pdf -o note.pdf
    """
    from gateway.api.answers.bills import BillShown  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    wanted = {"note": number, "format": "json" if as_json else form, "language": language}
    with asking(context.of(ctx).client_settings) as ask:
        _write_shown(ask("bill.note", wanted, BillShown), output)


@app.command()
def overdue(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the lines that owe on bills: what of it is past its date, where each is in dunning, and when it is looked at next.

    \b
    Examples:
      tpo bill overdue
      tpo bill overdue --json
    """
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        found = pages(ask, "bill.overdue", {})
        emit_pages((page.rows for page in found), as_json=as_json, columns=OVERDUE)


@app.command()
def paid(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="camt.053 or camt.054 of ISO 20022, or CSV.")],
    as_json: AsJson = False,
) -> None:
    """Book what a bank's file says was paid for bills, and what it took back; a line is booked once, whatever file it is in.

    A payment is known by the reference that its bill asks for (RF and digits), a returned one by the payer's own, a top-up that
    is taken back by that of its channel. Lines that are neither are listed, and the command exits with 75: pay those by `POST
    /v1/bills/NUMBER/payments`, or ask the payer.
    A payment that another channel told of a few days before, of as much for the same line, is booked, and listed as well: only
    the payer or the bank knows whether it is the same one.
    A CSV file has the columns reference, amount (below zero: taken back), currency, date and bill. Where bills.accounts of the
    settings names the accounts that customers pay to, a statement of another one is refused.

    \b
    Examples:
      tpo bill paid statement-2026-12-01.xml
      tpo bill paid payments.csv --json
    """
    from gateway.api.answers.bills import LinePaid, LinesPaid  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)
    from gateway.cli.bank_files import lines_of  # noqa: PLC0415  (as above)

    settings = context.of(ctx).client_settings
    lines, found, left, alike = lines_of(file), Counter[str](), list[LinePaid](), list[LinePaid]()
    with asking(settings) as ask:
        while some := list(islice(lines, LINES)):
            results = ask("bill.paid", {"lines": some}, LinesPaid).results
            found.update(result.outcome for result in results)
            left += [result for result in results if result.outcome in ("unmatched", "refused")]
            alike += [result for result in results if result.outcome == "paid" and result.message]
    counts = dict(sorted(found.items()))
    emit({"counts": counts, "left": left, "alike": alike} if as_json else counts, as_json=as_json)
    for result in left + alike:
        complain(f"{result.reference}: {result.outcome}: {result.message}")
    if left:
        raise typer.Exit(ExitCode.PARTLY_DONE)


def _write_shown(found: BillShown, output: Path | None) -> None:
    if found.pdf or found.text:
        _write(found.pdf or found.text.encode(), output)
    else:
        _write(f"{json_text(found.bill, indent=2)}\n".encode(), output)


def _write(octets: bytes, output: Path | None) -> None:
    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(octets)
        return
    try:
        output.write_bytes(octets)
    except OSError as error:
        raise CommandFailed(f"{output} cannot be written: {error.strerror}", to_do="name another file") from None
