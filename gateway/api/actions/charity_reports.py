"""Actions that tell of causes: who they are, what each is owed and was paid, and what another rule would have given."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, select

from gateway.api.actions.charity_documents import need_begun, told_span
from gateway.api.actions.charity_months import today
from gateway.api.actions.charity_payments import is_day, record_look
from gateway.api.answers.charity import (
    CauseRow,
    CauseRows,
    CharityReport,
    ClosedCauseRow,
    ProfitShared,
    RegisterImported,
    RemittanceRow,
    RemittanceRows,
    ReportRow,
    ShareRow,
)
from gateway.api.callers import Caller
from gateway.api.problems import bad_request, conflict, not_found
from gateway.api.requests import charity as requests
from gateway.api.requests.fields import DAY_WANTED, Nothing
from gateway.billing.giving_text import write_advice
from gateway.billing.writer import Writer
from gateway.charity.ageing import Waiting, waiting
from gateway.charity.causes import REGISTERED, Cause, Register, Successor, obstacle
from gateway.charity.closed_causes import Asking, askings, gone_unassigned
from gateway.charity.confirmation import read_standings
from gateway.charity.months import begin_of, end_of
from gateway.charity.policies import GROSS, NET, POLICIES, SALE, USAGE, WHOLE, Policy
from gateway.charity.policy_comparison import compare
from gateway.charity.profit_share import (
    BookProfitShare,
    NotConfirmed,
    ShareRefused,
    divide,
    months_of,
    share_of,
    weights,
)
from gateway.charity.publication import figures_of
from gateway.charity.register import ImportRegister, Row, age, read_register, with_absent
from gateway.charity.remittance import Remittance, remittances
from gateway.charity.tenth_states import State, account_of
from gateway.context import GatewayContext
from gateway.ledger.account_names import REVENUE
from gateway.ledger.balances import Selection, account_names, journal_totals
from gateway.ledger.money import AmountInvalid, format_amount, parse_payable
from gateway.store.tables import seals


def list_causes(context: GatewayContext, _request: Nothing) -> CauseRows:
    """Return each cause whether it may be paid today, and what its register said; no sums."""
    with context.reading() as connection:
        register, closed = read_register(connection), askings(connection)
    return CauseRows(
        [_cause(context, cause, register, closed.get(cause.id)) for cause in context.settings.causes.values()]
    )


def _cause(context: GatewayContext, cause: Cause, register: Register, asking: Asking | None) -> CauseRow:
    agreement, found, day = cause.agreement, register.get((cause.regulator, cause.number)), today(context)
    closed_on, asked_until = _days(context, asking)
    return CauseRow(
        id=cause.id,
        name=cause.name,
        country=cause.country,
        regulator=cause.regulator,
        number=cause.number,
        open=cause.open,
        vetting=cause.vetting,
        currency=agreement.currency if agreement else "",
        transmit_within=agreement.transmit_within if agreement else None,
        register=found.status if found else "",
        register_age=age(found.extracted_on, day) if found else None,
        obstacle=obstacle(cause, agreement.currency if agreement else "", day, register),
        statement=cause.statement,
        editors=list(cause.editors),
        successor=cause.successor.cause if cause.successor else "",
        successor_by=_named_by(cause.successor) if cause.successor else "",
        closed_on=closed_on,
        asked_until=asked_until,
        after_asking=context.settings.charity.after_asking if asking else "",
        registered_as=found.name if found else "",
    )


def _named_by(successor: Successor) -> str:
    return f"{successor.named_by}, {successor.on}: {successor.reference}"


def _days(context: GatewayContext, asking: Asking | None) -> tuple[str, str]:
    """Return since when a cause is closed, and the last day on which its customers may choose; empty where there is none."""
    if asking is None:
        return "", ""
    zone, end = ZoneInfo(context.settings.operator.timezone), asking.ends_at(context.settings.charity.ask_days)
    return _day(asking.closed_at, zone), "" if end is None else _day(end, zone)


def _day(at: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at / 1_000_000, UTC).astimezone(zone).date().isoformat()


def import_register(context: GatewayContext, request: requests.ImportRegister) -> RegisterImported:
    """Keep what an extract says of our causes' numbers; those that it does not have are absent from it."""
    if not is_day(request.extracted_on) or request.extracted_on > today(context):
        raise bad_request("charity.day", f"extracted_on: give {DAY_WANTED}, today or before")
    wanted = [
        cause.number
        for cause in context.settings.causes.values()
        if cause.regulator == request.regulator and cause.number
    ]
    try:
        rows = msgspec.convert(request.rows, list[Row])
    except msgspec.ValidationError as error:
        raise bad_request("charity.register", f"rows: {error}") from None
    entries = with_absent((row for row in rows if row.number in wanted), wanted)
    newer = context.lane.run(ImportRegister(request.regulator, request.extracted_on, entries))
    if newer:
        raise conflict("charity.register.older", f"the extract of {newer} is newer, and counts")
    missing = [each.number for each in entries if each.status != REGISTERED]
    standing = len(entries) - len(missing)
    told = {"regulator": request.regulator, "extracted_on": request.extracted_on}
    context.log("charity.register.imported", {**told, "standing": standing, "missing": len(missing)})
    return RegisterImported(request.regulator, request.extracted_on, standing, missing)


def list_remittances(context: GatewayContext, request: requests.Remittances, caller: Caller) -> RemittanceRows:
    """Return what a month came to for each cause, or for one; a copy goes to that cause alone."""
    record_look(context, caller, "charity.remittance")
    need_begun(context, request.period)
    zone = ZoneInfo(context.settings.operator.timezone)
    span = told_span(context, request.cause, request.period) if request.cause else (request.period, request.period)
    begin, end = begin_of(span[0], zone), end_of(span[1], zone)
    day = today(context)
    with context.reading() as connection:
        found = remittances(connection, begin, end)
        waits = {each.account: each for each in waiting(connection, context.settings.causes, day)}
    if request.cause:
        found = [line for line in found if line.account.cause == request.cause]
        if not found and request.cause not in context.settings.causes:
            raise not_found("cause.unknown", "cause: there is none of this id, in its file or in the books")
    assert all(line.is_exact for line in found)
    rows = [_remittance(line, waits.get(line.account)) for line in found]
    writer = Writer(request.language, zone) if request.language else None
    return RemittanceRows(span[1], rows, _advice(context, request.cause, span, found, writer) if writer else "")


def _advice(context: GatewayContext, cause: str, span: tuple[str, str], found: list[Remittance], writer: Writer) -> str:
    """Write what goes to one cause."""
    names = {cause.id: cause.name for cause in context.settings.causes.values()}
    if cause not in names:
        raise not_found("cause.unknown", "an advice is written to one cause: see tpo charity causes")
    return write_advice(span, cause, found, writer, context.settings.operator.name, names)


def _remittance(line: Remittance, wait: Waiting | None) -> RemittanceRow:
    def written(amount: int) -> str:
        return format_amount(amount, line.account.currency)

    return RemittanceRow(
        stream=line.account.stream.value,
        cause=line.account.cause,
        currency=line.account.currency,
        opening=written(line.opening),
        accrued=written(line.accrued),
        reversed=written(line.reversed),
        paid=written(line.paid),
        carried=written(line.carried),
        closing=written(line.closing),
        waiting=written(line.states[State.ACCRUED]),
        confirmed=written(line.states[State.CONFIRMED]),
        payable=written(line.states[State.PAYABLE]),
        instructed=written(line.states[State.INSTRUCTED]),
        oldest=wait.oldest if wait else "",
        days=wait.days if wait else None,
        agreed=wait.agreed if wait else None,
    )


def profit_share(context: GatewayContext, request: requests.ProfitShare, caller: Caller) -> ProfitShared:
    """Divide a quarter of a profit, or turnover, by what customers gave; with `book` it is booked, once."""
    record_look(context, caller, "charity.profit-share")
    operator = context.settings.operator
    currency, (first, last) = operator.currency, months_of(request.period)
    try:
        amount = parse_payable(request.amount, currency)
    except AmountInvalid as error:
        raise bad_request("charity.amount", f"amount: {error}") from None
    try:
        with context.reading() as connection:
            by = weights(connection, first, last, currency)
            zone = ZoneInfo(operator.timezone)
            turnover = _turnover(connection, begin_of(first, zone), end_of(last, zone), currency)
            seal = connection.execute(select(seals.c.day, seals.c.head).order_by(seals.c.day.desc()).limit(1)).first()
    except NotConfirmed as error:
        raise conflict("charity.month", str(error)) from None
    share = share_of(amount)
    parts = divide(share, by)
    repeated = False
    if request.book:
        unit = BookProfitShare(request.period, request.basis, amount, share, currency, parts, caller.name)
        done = context.lane.run(unit)
        if isinstance(done, ShareRefused):
            raise conflict(done.code, done.why)
        repeated = done.repeated
        if not repeated:
            told = {"period": request.period, "causes": len(parts), "by": caller.name}
            context.log("charity.profit.booked", told)
    return ProfitShared(
        period=request.period,
        basis=request.basis,
        amount=format_amount(amount, currency),
        share=format_amount(share, currency),
        turnover=format_amount(turnover, currency),
        share_of_turnover=format_amount(share_of(turnover), currency),
        currency=currency,
        booked=request.book,
        repeated=repeated,
        seal="" if seal is None else f"{seal.day}:{seal.head.hex()}",
        rows=[
            ShareRow(cause, format_amount(by[cause], currency), format_amount(part, currency))
            for cause, part in sorted(parts.items())
        ],
    )


def _turnover(connection: Connection, begin: int, end: int, currency: str) -> int:
    """Return what the journal's revenue grew by in a time."""
    numbers = [number for number, name in account_names(connection).items() if name == REVENUE]
    totals = journal_totals(connection, Selection(numbers, begin, end))
    return sum(amount for (_, its), amount in totals.items() if its == currency)


def report(context: GatewayContext, request: requests.Report, caller: Caller) -> CharityReport:
    """Return what a month's tenths came to by cause, and what another rule would have given; beside it what was published."""
    need_begun(context, request.period)
    if request.public:
        return CharityReport(request.period, None, [], _published(context, request.period))
    record_look(context, caller, "charity.report")
    zone = ZoneInfo(context.settings.operator.timezone)
    policy = None if request.policy is None else _policy(request.policy)
    other = policy or POLICIES[context.settings.charity.policy]
    with context.reading() as connection:
        found = compare(connection, begin_of(request.period, zone), end_of(request.period, zone), other)
    rows = [
        ReportRow(
            each.account.cause,
            each.account.currency,
            format_amount(each.accrued, each.account.currency),
            format_amount(each.would_be, each.account.currency) if policy else None,
        )
        for each in found
    ]
    published = _published(context, request.period)
    return CharityReport(request.period, policy.id if policy else None, rows, published, _closed(context))


def _closed(context: GatewayContext) -> list[ClosedCauseRow]:
    """Return what stands of closed causes that nobody succeeds."""
    with context.reading() as connection:
        closed, standings, gone = askings(connection), read_standings(connection), gone_unassigned(connection)
    number = context.accounts.get
    return [
        ClosedCauseRow(
            account.cause,
            account.stream.value,
            account.currency,
            *_days(context, closed[account.cause]),
            held=format_amount(each.confirmed + each.payable, account.currency),
            unassigned=format_amount(
                gone.get((number(account_of(account.stream, State.CONFIRMED, account.cause), 0), account.currency), 0),
                account.currency,
            ),
        )
        for account, each in sorted(standings.items())
        if account.cause in closed
    ]


def _published(context: GatewayContext, period: str) -> list[ReportRow]:
    """Return the public-safe sums of a month, tenths and gifts together, in whole units."""
    figures = context.read(lambda connection: figures_of(connection, period))
    return [ReportRow(each.cause, each.currency, format_amount(each.amount, each.currency), None) for each in figures]


def _policy(content: dict[str, object]) -> Policy:
    try:
        found = msgspec.convert(content, Policy)
    except msgspec.ValidationError as error:
        raise bad_request("charity.policy", f"policy: {error}") from None
    if found.base not in (GROSS, NET) or not 0 <= found.rate <= WHOLE or not 0 <= found.tax <= WHOLE:
        raise bad_request("charity.policy", "policy: base is gross or net, rate and tax are 0 to 10000 basis points")
    if (found.base == NET) != bool(found.tax):
        raise bad_request("charity.policy", "policy: a net base says its tax, and no other one does")
    if not {*found.exclusions} <= {USAGE, SALE}:
        raise bad_request("charity.policy", "policy: exclusions are usage or sale; by service they are not compared")
    return found
