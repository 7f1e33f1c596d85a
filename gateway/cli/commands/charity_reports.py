"""Commands of `tpo charity` that tell of causes: who they are, what each is owed and was paid, and what covers it."""

from __future__ import annotations

from collections.abc import Iterable
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli import completion, context
from gateway.cli.commands.charity_documents import FORMS, PUBLIC, write_document, write_report
from gateway.cli.context import AsJson
from gateway.cli.errors import CommandFailed, ExitCode
from gateway.cli.output import complain, emit

if TYPE_CHECKING:
    from gateway.charity.register import Row

CAUSES: Final = ("id", "name", "number", "vetting", "register", "registered_as", "register_age", "obstacle")
REMITTANCE: Final = (
    "stream",
    "cause",
    "currency",
    "opening",
    "accrued",
    "reversed",
    "paid",
    "carried",
    "closing",
    "days",
    "agreed",
)
"""What a person sees; --json has the states that make up the closing."""
REPORT: Final = ("cause", "currency", "accrued", "other")
Period = Annotated[str, typer.Argument(help="The month, such as 2026-11, on the operator's clock.")]

Language = Annotated[
    str,
    typer.Option(help="A document in en, fr or es.", autocompletion=completion.one_of("en", "fr", "es")),
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write the document to this file.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (causes, register, remittance, report):
        app.command()(command)
    # A loss is an amount like any other: click would take its minus sign for an option.
    app.command("profit-share", context_settings={"ignore_unknown_options": True})(profit_share)


def causes(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show each cause, what its register said and how many days ago, and why it may not be paid, if so.

    Compare `registered_as`, the name in the register, with the cause's own: a number may be somebody else's.

    Of a closed cause that nobody succeeds it says since when, and until when its customers may choose another one.

    \b
    Examples:
      tpo charity causes
      tpo charity causes --json
    """
    from gateway.api.answers.charity import CauseRows  # noqa: PLC0415  (`tpo --help` starts faster)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        found = ask("charity.causes", {}, CauseRows)
    emit(found if as_json else found.rows, as_json=as_json, columns=CAUSES)
    for each in () if as_json else found.rows:
        if each.closed_on:
            until = f"are asked until {each.asked_until}" if each.asked_until else "are being asked"
            complain(
                f"{each.id} is closed since {each.closed_on}, its customers {until}, then its tenths: {each.after_asking}"
            )


def register(
    ctx: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="The whole extract: CSV or tab-separated, in as many files as the regulator publishes it.",
        ),
    ],
    regulator: Annotated[str, typer.Option(help="GB-CHC, GB-SC or US-EIN.")],
    as_of: Annotated[str, typer.Option("--as-of", help="The day of the extract, YYYY-MM-DD.")],
    as_json: AsJson = False,
) -> None:
    """Take in what a charity register says of our causes' numbers; one that is not in it, or was removed, is not paid any more.

    A number that looks right proves nothing. The extract is read here, and only the rows of our causes are kept. The IRS
    divides its own by region: give all of its files at once. Exits with 1 where a cause of that register is not registered.

    \b
    Examples:
      tpo charity register publicextract.charity.csv --regulator GB-CHC --as-of 2026-11-01
      tpo charity register eo1.csv eo2.csv eo3.csv eo4.csv --regulator US-EIN --as-of 2026-11-10 --json
    """
    from gateway.api.answers.charity import CauseRows, RegisterImported  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        known = ask("charity.causes", {}, CauseRows).rows
        wanted = [cause.number for cause in known if cause.regulator == regulator and cause.number]
        rows = [row for file in files for row in _extracted(file, wanted)]
        said = [{"number": row.number, "name": row.name, "status": row.status} for row in rows]
        params = {"regulator": regulator, "extracted_on": as_of, "rows": said}
        found = ask("charity.register", params, RegisterImported)
    emit(found, as_json=as_json)
    if found.not_registered:
        raise typer.Exit(ExitCode.FAILED)


def _extracted(file: Path, wanted: Iterable[str]) -> list[Row]:
    """Read a file of a register's extract."""
    from gateway.charity.register import RegisterInvalid, read_rows  # noqa: PLC0415  (as above)
    from gateway.store.named_files import open_named  # noqa: PLC0415  (as above)

    try:
        octets = open_named(file, pipe=False)
        with TextIOWrapper(octets, encoding="utf-8-sig", errors="replace", newline="") as opened:
            return read_rows(opened, wanted)
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}", to_do="give the extract") from None
    except RegisterInvalid as error:
        raise CommandFailed(str(error), where=str(file)) from None


def remittance(
    ctx: typer.Context,
    period: Period,
    cause: Annotated[str, typer.Option(help="Only this cause: what it is sent.")] = "",
    language: Language = "",
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Show what a month came to for each cause: opening + accrued + reversed + paid + carried = closing, exactly.

    It is confidential to its cause: one figure a line, no count of givers, no sums by day. `days` is how long the oldest of its
    money waits by today, of those that were agreed. With --language it is what the cause is written, a document of one --cause.
    It needs the right to see causes, and is noted.

    \b
    Examples:
      tpo charity remittance 2026-11
      tpo charity remittance 2026-11 --cause wateraid --json
      tpo charity remittance 2026-11 --cause wateraid --language fr -o advice.txt
    """
    from gateway.api.answers.charity import RemittanceRows  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    if output and not language:
        raise typer.BadParameter(
            "only what is written to a cause goes to a file: give --language", param_hint="--output"
        )
    with asking(context.of(ctx).client_settings) as ask:
        found = ask("charity.remittance", {"period": period, "cause": cause, "language": language}, RemittanceRows)
    if language and not as_json:
        write_document(found.advice.encode(), output)
        return
    emit(found if as_json else found.rows, as_json=as_json, columns=REMITTANCE)


def profit_share(
    ctx: typer.Context,
    period: Annotated[str, typer.Argument(help="A year or a month: 2026, 2026-11.")],
    amount: Annotated[
        str, typer.Argument(help="The profit, or turnover, such as 125000.00; of a loss nothing is given.")
    ],
    basis: Annotated[str, typer.Option(help="profit or turnover: what AMOUNT is.")] = "profit",
    book: Annotated[bool, typer.Option("--book", help="Book it; once for a period.")] = False,
    as_json: AsJson = False,
) -> None:
    """Divide a quarter of the profit among causes, by the money of the period's confirmed tenths; exact to the micro-unit.

    What a quarter of the journal's turnover would be stands beside it. Of a loss nothing is given.

    \b
    Examples:
      tpo charity profit-share 2026 125000.00
      tpo charity profit-share 2026 125000.00 --book
      tpo charity profit-share 2026-11 -1000.00 --json
    """
    from gateway.api.answers.charity import ProfitShared  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    params = {"period": period, "amount": amount, "basis": basis, "book": book}
    with asking(context.of(ctx).client_settings) as ask:
        found = ask("charity.profit-share", params, ProfitShared)
    if as_json:
        emit(found, as_json=True)
        return
    emit(found.rows, as_json=False)
    complain(f"{found.basis} {found.amount}: a quarter is {found.share} {found.currency}")
    complain(f"turnover by the journal {found.turnover}: a quarter would be {found.share_of_turnover} {found.currency}")
    if found.repeated:
        complain(f"the share of {period} was booked before: nothing is booked")


def report(
    ctx: typer.Context,
    period: Period,
    policy: Annotated[
        Path | None, typer.Option(help="A YAML file of another rule: id, base, rate and tax (percent), exclusions.")
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="Only what was published of the month: whole units.")
    ] = False,
    reader: Annotated[str, typer.Option("--for", help="Whom a document is for: company, cause:ID or public.")] = "",
    form: Annotated[
        str, typer.Option("--format", help="A document: text, json or pdf.", autocompletion=completion.one_of(*FORMS))
    ] = "",
    language: Language = "",
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Show what a month's tenths came to by cause, and what another rule of the tenth would have given.

    It is for the company, and needs the right to see causes. The public is told of a month by --public alone: figures in whole
    units, of fifty customers at least.

    \b
    Examples:
      tpo charity report 2026-11
      tpo charity report 2026-11 --policy net.yaml
      tpo charity report 2026-11 --public --json
      tpo charity report 2026-11 --for public --format pdf -o giving.pdf
      tpo charity report 2026-11 --for cause:wateraid --format text --language fr
    """
    from gateway.api.answers.charity import CharityReport  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)

    document = bool(reader or form or output or language)
    if policy and (public or document):
        raise typer.BadParameter("a comparison is for the company alone, as rows", param_hint="--policy")
    if document:
        wanted = reader or (PUBLIC if public else "company")
        write_report(ctx, period, wanted, "json" if as_json else form or "text", language or "en", output)
        return
    params: dict[str, object] = {"period": period, "public": public}
    if policy is not None:
        params["policy"] = _policy(policy)
    with asking(context.of(ctx).client_settings) as ask:
        found = ask("charity.report", params, CharityReport)
    rows = found.published if public else found.rows
    emit(found if as_json else rows, as_json=as_json, columns=REPORT if policy else REPORT[:-1])
    for each in () if as_json else found.closed:
        until = f"asked until {each.asked_until}" if each.asked_until else "are being asked"
        what = f"{each.held} {each.currency} held, {each.unassigned} went to unassigned"
        complain(f"{each.cause} is closed since {each.closed_on}, its customers {until}: of its {each.stream}s {what}")


def _policy(file: Path) -> dict[str, object]:
    from pydantic import ValidationError  # noqa: PLC0415  (as above)

    from gateway.settings.error_messages import Report, explain  # noqa: PLC0415  (as above)
    from gateway.settings.sections.charity import ComparedPolicy  # noqa: PLC0415  (as above)
    from gateway.settings.yaml_loader import load_file  # noqa: PLC0415  (as above)

    report = Report(load_file(file))
    try:
        if not report.problems:
            return ComparedPolicy.model_validate(report.document.value).as_request()
    except ValidationError as error:
        explain(report, ComparedPolicy, error)
    found = "; ".join(map(str, report.problems))
    raise CommandFailed(f"this is no policy: {found}", where=str(file), to_do="give id, base and rate")
