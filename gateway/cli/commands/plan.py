"""`tpo plan`: the price plans, what is wrong with them, and what some usage would cost by them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli import completion, context
from gateway.cli.context import AsJson
from gateway.cli.errors import CommandFailed, ExitCode
from gateway.cli.filters import moment
from gateway.cli.output import emit, plain

if TYPE_CHECKING:
    from gateway.charging.quotation import Quotation, QuotedTax, Usage
    from gateway.rating.plans import Plan, Rate
    from gateway.rating.taxes import TaxArea
    from gateway.settings import Settings

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
LATEST: Final = 253_370_764_800_000_000
"""Microseconds: the year 9999 is the last of the calendar, and its days may have no other behind them."""
UNITS = {"data": "octets", "voice": "seconds", "sms": "texts"}


@app.callback()
def _group() -> None:
    """List and check the price plans, and try out what something costs: list, check, price, versions."""


@app.command("list")
def list_(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """List the plans with what they cost at home, and how much more there is to each.

    \b
    Examples:
      tpo plan list
      tpo plan list --json
    """
    found = context.of(ctx).client_settings.plans.values()
    emit([_summary(plan) for plan in found], as_json=as_json)


def _summary(plan: Plan) -> dict[str, object]:
    return {
        "plan": plan.id,
        "name": plan.name,
        "currency": plan.currency,
        **{service: _written(getattr(plan, service), service, plan.currency) for service in UNITS},
        "tax": None if plan.tax is None else f"{plan.tax.treatment} {plan.tax.jurisdiction}",
        "bundle": None if plan.bundle is None else _money(plan.bundle.price, plan.currency),
        "destinations": len(plan.destinations),
        "zones": len(plan.zones),
        "periods": len(plan.periods),
        "caps": len(plan.caps),
    }


def _written(rate: Rate, service: str, currency: str) -> str:
    fee = f"{_money(rate.connection, currency)} + " if rate.connection else ""
    counted = f" ({rate.minimum}/{rate.step})" if rate.minimum or rate.step > 1 else ""
    return f"{fee}{_money(rate.price, currency)} for {rate.per} {UNITS[service]}{counted}"


def _money(micro: int, currency: str) -> str:
    from gateway.ledger.money import format_amount  # noqa: PLC0415  (`tpo --help` starts faster)

    return format_amount(micro, currency)


@app.command()
def check(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """Check the plans, their rate decks and what the law says of them; name every problem, as `file:line: key: message`.

    Exits with 0 where the configuration is good (there may be warnings), else with 78. `tpo config check` checks everything.

    \b
    Examples:
      tpo plan check
      tpo plan check --json
    """
    from gateway.settings import ConfigInvalid, Severity, load  # noqa: PLC0415  (as above)

    file = context.of(ctx).config
    plans_file = _plans_file(file)
    found: Settings | None = None
    try:
        found = load(file)
        problems = found.warnings
    except ConfigInvalid as invalid:
        problems = invalid.problems
    ours = [each for each in problems if each.key.split(".", 1)[0] == "plans" or Path(each.file) == plans_file]
    wrong = any(each.severity is Severity.ERROR for each in ours)
    if as_json:
        emit({"ok": not wrong, "problems": [each._asdict() for each in ours]}, as_json=True)
    else:
        sys.stdout.writelines(f"{plain(str(each))}\n" for each in ours)
        if found is not None:
            rates = sum(len(plan.destinations) for plan in found.plans.values())
            sys.stdout.write(f"good: {len(found.plans)} plans, {rates} destinations\n")
    if found is None and len(ours) < len(problems):
        raise CommandFailed(
            "parts of the configuration that are not the plans have problems",
            where=str(file),
            to_do="`tpo config check` names all of them",
            exit_code=ExitCode.CONFIG,
        )
    if wrong:
        raise typer.Exit(ExitCode.CONFIG)


def _plans_file(config: Path) -> Path:
    """Name the file of the plans as its problems do, also where the configuration cannot be used."""
    from gateway.settings.yaml_loader import load_file  # noqa: PLC0415  (as above)

    value = load_file(config).value
    named = value.get("plans") if isinstance(value, dict) else None
    return config.parent / (named if isinstance(named, str) else "plans.yaml")


Plan_ = Annotated[str, typer.Option("--plan", help="The plan's id.", autocompletion=completion.plans)]
To = Annotated[str, typer.Option("--to", help="The number that is called or texted, as it is dialled.")]
Seconds = Annotated[int | None, typer.Option(min=0, help="A call of so many seconds.")]
Octets = Annotated[int | None, typer.Option(min=0, help="So many octets of data.")]
Texts = Annotated[int | None, typer.Option(min=0, help="So many texts.")]
At = Annotated[
    str | None, typer.Option(help="When it begins (RFC 3339; without an offset UTC); now, unless it is given.")
]
Roaming = Annotated[
    str, typer.Option(metavar="MCCMNC", help="The network abroad that serves the customer, such as 310260.")
]
RatingGroup = Annotated[int | None, typer.Option(min=0, help="The rating group of data.")]


@app.command()
def price(
    ctx: typer.Context,
    plan: Plan_,
    to: To = "",
    seconds: Seconds = None,
    octets: Octets = None,
    texts: Texts = None,
    at: At = None,
    roaming: Roaming = "",
    rating_group: RatingGroup = None,
    incoming: Annotated[bool, typer.Option("--incoming", help="What the called customer pays.")] = False,
    own: Annotated[bool, typer.Option("--own", help="The number is another line of ours.")] = False,
    version: Annotated[
        int | None,
        typer.Option(min=1, help="By a version that was recorded (`tpo plan versions`), and not by the file."),
    ] = None,
    state: Annotated[str, typer.Option(help="The state where the line is taxed, such as NY, for taxes on top.")] = "",
    zip_code: Annotated[str, typer.Option("--zip", help="Its ZIP there.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show what some usage costs on a plan, step by step, as charging itself reckons it.

    No allowance, and nothing that was used before in the day or month, is taken into account. Tax within the price is
    that of its day; taxes on top are shown for a state and ZIP, without fees a month.

    \b
    Examples:
      tpo plan price --plan payg-gb --to 07700900123 --seconds 61
      tpo plan price --plan payg-gb --octets 5000000 --roaming 310260 --json
      tpo plan price --plan payg-gb --to +33123456789 --texts 2 --at 2026-12-25T20:00:00Z
      tpo plan price --plan payg-gb --version 7 --octets 5000000
      tpo plan price --plan payg-us --to +12125550100 --seconds 61 --state NY --zip 10001
    """
    wanted = [
        (name, units) for name, units in (("voice", seconds), ("data", octets), ("sms", texts)) if units is not None
    ]
    if len(wanted) != 1:
        raise typer.BadParameter("give one of --seconds, --octets and --texts")
    if roaming and not (roaming.isascii() and roaming.isdecimal() and len(roaming) in (5, 6)):
        raise typer.BadParameter("--roaming: give MCC and MNC, five or six digits, like 310260")
    from gateway.charging.quotation import Usage  # noqa: PLC0415  (as above)
    from gateway.environment import wall_clock  # noqa: PLC0415

    (service, units), when = wanted[0], moment(at, "--at")
    if when is not None and not 0 <= when < LATEST:
        raise typer.BadParameter("give a time from 1970 on and before 9999", param_hint="--at")
    usage = Usage(service, units, wall_clock() if when is None else when, to, roaming, rating_group, incoming, own)
    settings = context.of(ctx).client_settings
    found = _in_the_file(settings, plan) if version is None else _recorded(settings, plan, version)
    _show(found, usage, _quote(settings, found, usage, _area(state, zip_code)), as_json=as_json)


def _in_the_file(settings: Settings, plan: str) -> Plan:
    found = settings.plans.get(plan)
    if found is None:
        raise CommandFailed(
            f"there is no plan {plan}",
            where=str(settings.file),
            to_do="`tpo plan list` shows all",
            exit_code=ExitCode.FAILED,
        )
    return found


def _recorded(settings: Settings, plan: str, version: int) -> Plan:
    """Ask for a plan as it was."""
    from gateway.api.answers.plans import RecordedPlan  # noqa: PLC0415  (as above)
    from gateway.cli.backend import asking  # noqa: PLC0415
    from gateway.rating.plan_versions import read_content  # noqa: PLC0415

    with asking(settings) as ask:
        found = ask("plan.version", {"plan": plan, "version": version}, RecordedPlan)
    return read_content(found.content, version)


@app.command()
def versions(
    ctx: typer.Context,
    plan: Annotated[str, typer.Argument(help="The plan's id.", autocompletion=completion.plans)],
    as_json: AsJson = False,
) -> None:
    """Show the versions of a plan that were in force, and how many lines are charged by each now.

    A line keeps the version that it subscribed under where the next one says so (`grandfathered` in plans.yaml).

    \b
    Examples:
      tpo plan versions payg-gb
      tpo plan versions payg-gb --json
    """
    from gateway.cli.backend import asking  # noqa: PLC0415  (as above)
    from gateway.cli.client import Listing  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        found = ask("plan.versions", {"plan": plan}, Listing)
    emit(found.rows, as_json=as_json)


def _area(state: str, zip_code: str) -> TaxArea | None:
    from gateway.rating.taxes import TaxArea  # noqa: PLC0415  (as above)

    if bool(state) != bool(zip_code):
        raise typer.BadParameter("give --state and --zip, or neither")
    return TaxArea(state, zip_code) if state else None


def _quote(settings: Settings, plan: Plan, usage: Usage, area: TaxArea | None) -> Quotation:
    from zoneinfo import ZoneInfo  # noqa: PLC0415  (as above)

    from gateway.charging.quotation import NotPriced, quote  # noqa: PLC0415
    from gateway.charging.tariff import QuotaTerms, Tariff  # noqa: PLC0415
    from gateway.charity.policies import POLICIES  # noqa: PLC0415

    policy, operator = POLICIES[settings.charity.policy], settings.operator
    tariff = Tariff(settings.plans, policy, QuotaTerms(), lambda _: 0, operator.country, ZoneInfo(operator.timezone))
    try:
        return quote(plan, usage, tariff, settings.taxes, area)
    except NotPriced as error:
        raise CommandFailed(
            str(error), where=plan.id, to_do="give it a zone in the plan's roaming", exit_code=ExitCode.FAILED
        ) from None


def _show(plan: Plan, usage: Usage, found: Quotation, *, as_json: bool) -> None:
    from gateway.events.times import rfc3339  # noqa: PLC0415  (as above)

    money = {name: _money(getattr(found, name), plan.currency) for name in MONEY}
    rate, service = found.rate, found.rate.service
    emit(
        {
            "plan": plan.id,
            "service": usage.service,
            UNITS[usage.service]: usage.units,
            "at": rfc3339(usage.at),
            "traffic": found.traffic or "outgoing",
            "zone": found.zone or "home",
            "destination": found.destination or "any",
            "destination_name": found.destination_name,
            "period": found.period or "any",
            "rate_key": found.rate_key,
            "rate": _written(rate, usage.service, plan.currency),
            "service_rate": None if service is None else _written(service.rate, usage.service, plan.currency),
            "billed_units": found.billed_units,
            **money,
            **_taxed(found.tax, plan.currency),
            "currency": plan.currency,
        },
        as_json=as_json,
    )


def _taxed(tax: QuotedTax | None, currency: str) -> dict[str, object]:
    """Write the steps of a price's tax."""
    from gateway.rating.taxes import percent  # noqa: PLC0415  (as above)

    if tax is None:
        return {"tax": None}
    lines = None if tax.lines is None else {each.name: _money(each.amount, currency) for each in tax.lines}
    return {
        "tax": f"{tax.treatment} {tax.jurisdiction}",
        "tax_percent": None if tax.rate is None else percent(tax.rate),
        "net": _money(tax.net, currency),
        "tax_amount": _money(tax.tax, currency),
        "tax_lines": lines,
        "total": _money(tax.total, currency),
    }


MONEY = ("connection", "used", "service_charge", "over_limit", "price", "without_tenth")
"""The steps of a price, in their order."""
