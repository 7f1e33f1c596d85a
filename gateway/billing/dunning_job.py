"""Looks at the lines whose bills may be overdue, or may have been paid, and has each take its step."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, func, not_, or_, select

from gateway.balance.wallets import credit_limit_of
from gateway.billing.accounts import BillAccount, account_of
from gateway.billing.allocation import after_payment, owed
from gateway.billing.content import Section, read_content
from gateway.billing.cuts import Close, closes
from gateway.billing.dunning import ACTOR, Does, Look, NextState, State, StepDunning, Waits, decide, state_of
from gateway.billing.references import reference_of
from gateway.billing.series import BILL
from gateway.context import GatewayContext
from gateway.sims.accept_order import AcceptOrder, Asked
from gateway.store.errors import RowUnknown, StoreError
from gateway.store.sealed_months.parts import Part, parts
from gateway.store.statements import SelectAmong
from gateway.store.tables import bill_accounts, bills, reratings, sims, subscribers, transfers, usage, wallets
from gateway.subscribers.status import TERMINATED
from provisioning.orders import Kind, OrderRefused, OrderRequest
from provisioning.sim_lifecycle import SimState, SuspendReason

LINES: Final = 10_000
"""Lines that are looked at together: the journal since their bills is read once for all of them, however few they are."""
SECOND: Final = 1_000_000
AGAIN: Final = 86_400 * SECOND
"""When a line is looked at again (microseconds) that could not be suspended or resumed."""
TAKEN_BACK: Final = "chargeback"
RERATE: Final = "rerate:"
GIVEN_BACK: Final = {"refund": 1, "promo_refund": 1, "reversal": 1, "rerated": -1}
"""Prices that were given back, and right ones in place of wrong ones, by what each does to what a bill asks for."""
_ANEW: Final = SelectAmong(select(reratings.c.id, reratings.c.record_id), reratings.c.id, int)
_USED: Final = SelectAmong(select(usage.c.id, usage.c.event_at), usage.c.id, int)


class Due(msgspec.Struct, frozen=True):
    """A line that is looked at: how it stands, whether it is dunned, or has ended, its card, and the number of its bill."""

    look: Look
    dunned: bool
    ended: bool
    iccid: str
    bill: int


class Dunned(msgspec.Struct):
    """What a turn did: lines looked at, steps by the state that they led to, and orders that were refused, with why."""

    looked: int = 0
    steps: dict[str, int] = {}
    refused: list[str] = []


def turn(context: GatewayContext) -> Dunned:
    """Take every step that is due now."""
    done, waits = Dunned(), waits_of(context)
    while True:
        now = context.clock()
        with context.reading() as connection:
            found = due_lines(connection, now)
        if not found:
            return done
        steps = [(due, step) for due in found if (step := _step(context, due, waits, now, done)) is not None]
        moved = context.run_all(_unit(context, due, step, now) for due, step in steps)
        for (due, step), is_done in zip(steps, moved, strict=True):
            if isinstance(is_done, StoreError):
                raise is_done
            if is_done and step.to != due.look.account.state:
                done.steps[step.to] = done.steps.get(step.to, 0) + 1
        done.looked += len(found)
        if not any(moved):  # somebody else is at them
            return done


def waits_of(context: GatewayContext) -> Waits:
    """Return how long the states last, by the settings."""
    section = context.settings.bills
    return Waits(section.suspend * SECOND, section.write_off * SECOND)


def _step(context: GatewayContext, due: Due, waits: Waits, now: int, done: Dunned) -> NextState | None:
    """Say where a line goes, once its suspension or the end of it was ordered; it stays where it is if that was refused.

    None for one whose row has a state that this version does not know: the others go on.
    """
    try:
        step = decide(due.look, waits, now, dunned=due.dunned)
    except RowUnknown as error:
        done.refused = list(dict.fromkeys([*done.refused, str(error)]))
        return None
    try:
        refusal = _order(context, due, step)
    except RowUnknown as error:  # that of its card
        refusal = str(error)
    if refusal is None:
        return step
    done.refused.append(refusal)
    return NextState(state_of(due.look.account), now + AGAIN)


def _unit(context: GatewayContext, due: Due, step: NextState, now: int) -> StepDunning:
    date = f"{datetime.fromtimestamp((step.next_at or now) / SECOND, ZoneInfo(context.settings.operator.timezone)):%Y-%m-%d}"
    return StepDunning(due.look, step, date, reference_of(due.bill))


def _order(context: GatewayContext, due: Due, step: NextState) -> str | None:
    """Order the suspension, or its end, once for each bill and state; gives why it was refused.

    A line that has ended has nothing to suspend, and goes on to its write-off.
    """
    kind = Kind.SUSPEND if step.does is Does.SUSPEND else Kind.RESUME if step.resumes else None
    if kind is None or due.ended:
        return None
    account = due.look.account
    if not due.iccid:
        return None if kind is Kind.RESUME else "the line has no card in the inventory that could be suspended"
    asked = Asked(kind, due.iccid, OrderRequest(reason=SuspendReason.CREDIT), ACTOR)
    key = f"{kind}:{account.bill_id}:{account.state_at}"
    answer = context.lane.run(AcceptOrder(ACTOR, key, asked))
    if isinstance(answer, OrderRefused) and answer.code != "sim.reason":
        return str(answer)
    return None


def due_lines(connection: Connection, now: int) -> list[Due]:
    """Read the lines that are to be looked at, with what each still owes: exact, from the journal since its bill."""
    own = bill_accounts.c
    wanted = select(bill_accounts).where(own.next_at <= now).order_by(own.next_at).limit(LINES)
    return _looked_at(connection, [account_of(row) for row in connection.execute(wanted)], now)


def _looked_at(connection: Connection, accounts: list[BillAccount], now: int) -> list[Due]:
    if not accounts:
        return []
    numbers = [account.subscriber_id for account in accounts]
    standing = {row.subscriber_id: row for row in connection.execute(_standing(numbers))}
    cards = dict(map(tuple, connection.execute(_cards(numbers))))
    known = {row.id: row for row in connection.execute(_bills([account.bill_id for account in accounts]))}
    owing = [each for each in accounts if each.subscriber_id in standing and standing[each.subscriber_id].balance < 0]
    paid = paid_since(connection, owing)
    return [
        Due(
            look_at(
                account,
                paid.get(account.subscriber_id, 0),
                now,
                owes=account in owing,
                gifts=-read_content(known[account.bill_id].content).of(Section.GIFTS),
            ),
            dunned=account.state != State.OPEN or _is_dunned(standing.get(account.subscriber_id)),
            ended=_has_ended(standing.get(account.subscriber_id)),
            iccid=cards.get(account.subscriber_id, ""),
            bill=known[account.bill_id].number,
        )
        for account in accounts
    ]


def owing_lines(connection: Connection, now: int, after: int, limit: int) -> list[Due]:
    """Read the lines numbered above `after` whose latest bill asked for something, with what they still owe."""
    own = bill_accounts.c
    wanted = (
        select(bill_accounts).where(own.subscriber_id > after, own.due > 0).order_by(own.subscriber_id).limit(limit)
    )
    return _looked_at(connection, [account_of(row) for row in connection.execute(wanted)], now)


def look_at(account: BillAccount, paid: int, now: int, *, owes: bool, gifts: int = 0) -> Look:
    """Say what a line owes of its bills, and what of that is overdue; `gifts` are those of the latest bill. Pure."""
    left = after_payment(owed(account.due, account.arrears, gifts), paid if owes else account.due)
    late = left.total if account.due_at is not None and account.due_at <= now else left.arrears
    return Look(account, left.total, late, left.gifts)


def paid_since(connection: Connection, accounts: Sequence[BillAccount]) -> dict[int, int]:
    """Sum what came in for lines since their bills, less what banks took back, in one look at the journal for each close.

    What was given back of a price counts where a bill asks for that price: of what was used since nothing is asked for yet.
    """
    sums: dict[int, int] = {}
    by_id = {close.id: close for close in closes(connection)}
    for close_id in {account.close_id for account in accounts}:
        numbers = [account.subscriber_id for account in accounts if account.close_id == close_id]
        since = _since(by_id[close_id])
        with parts(connection) as found:
            for part in found:
                for column, sign, kind in (
                    (transfers.c.credit, 1, transfers.c.kind.not_in(("family", *GIVEN_BACK))),
                    (transfers.c.debit, -1, transfers.c.kind == TAKEN_BACK),
                ):
                    each = select(column, func.sum(transfers.c.amount)).where(since, kind, column.in_(numbers))
                    for number, amount in part.connection.execute(each.group_by(column)):
                        sums[number] = sums.get(number, 0) + sign * int(amount)
            for number, amount in _given_back(connection, found, by_id[close_id], numbers):
                sums[number] = sums.get(number, 0) + amount
    return sums


def _given_back(
    connection: Connection, every: Sequence[Part], close: Close, numbers: Sequence[int]
) -> list[tuple[int, int]]:
    """Return by line what was given back, since a close, of prices that are on its bills.

    A record that is past its retention, and the sale of a bundle, go by their number: when they were is not looked for.
    """
    own = transfers.c
    line = case((own.kind == "rerated", own.debit), else_=own.credit)
    wanted = select(line, own.kind, own.amount, own.usage_id, own.reference).where(
        _since(close), own.kind.in_(GIVEN_BACK), line.in_(numbers)
    )
    rows = [row for part in every for row in part.connection.execute(wanted)]
    references = [int(row.reference.removeprefix(RERATE)) for row in rows if row.usage_id is None]
    anew = dict(map(tuple, _ANEW.run(connection, references)))
    found = [
        (row[0], GIVEN_BACK[row.kind] * int(row.amount), row.usage_id or anew[int(row.reference.removeprefix(RERATE))])
        for row in rows
    ]
    used = {record: at for part in every for record, at in _USED.run(part.connection, {each[2] for each in found})}
    return [(line, amount) for line, amount, record in found if close.cut.holds(record, used.get(record, 0))]


def _since(close: Close) -> ColumnElement[bool]:
    number, spans = transfers.c.id, close.cut.spans.values()
    later = or_(*(number >= span.first for span in spans)) if spans else number > 0
    return and_(later, not_(close.cut.within(number, transfers.c.event_at)))


def _standing(numbers: Sequence[int]) -> Select[Any]:
    return (
        select(wallets.c.subscriber_id, wallets.c.balance, wallets.c.bundle, subscribers.c.status)
        .join_from(wallets, subscribers, subscribers.c.id == wallets.c.subscriber_id)
        .where(wallets.c.subscriber_id.in_(numbers))
    )


def _cards(numbers: Sequence[int]) -> Select[Any]:
    usable = (SimState.ACTIVE, SimState.SUSPENDED)
    return select(sims.c.subscriber_id, sims.c.iccid).where(sims.c.subscriber_id.in_(numbers), sims.c.state.in_(usable))


def _bills(numbers: Sequence[int]) -> Select[Any]:
    return select(bills.c.id, bills.c.number, bills.c.content).where(bills.c.id.in_(numbers), bills.c.series == BILL)


def _is_dunned(row: Row[Any] | None) -> bool:
    return row is not None and (credit_limit_of(row.bundle) > 0 or _has_ended(row))


def _has_ended(row: Row[Any] | None) -> bool:
    return row is not None and row.status == TERMINATED
