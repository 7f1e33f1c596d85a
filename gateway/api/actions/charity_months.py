"""Months whose tenths are confirmed: by command, before a payout, and by the gateway itself, each in the same way."""

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from gateway.api.problems import conflict
from gateway.charity.causes import Register, obstacle
from gateway.charity.closed_causes import asked_out
from gateway.charity.confirmation import (
    GRACE,
    ConfirmMonth,
    MonthRefused,
    ReleaseConfirmed,
    next_period,
    read_month,
    read_standings,
)
from gateway.charity.months import end_of
from gateway.charity.register import read_register
from gateway.charity.standings import Roads, all_moves
from gateway.context import GatewayContext

Progress = Callable[[str, int], None]


def today(context: GatewayContext) -> str:
    """Return the day on the operator's clock."""
    zone = ZoneInfo(context.settings.operator.timezone)
    return datetime.fromtimestamp(context.clock() / 1_000_000, UTC).astimezone(zone).date().isoformat()


def confirm(context: GatewayContext, period: str) -> bool:
    """Confirm a month, and release what may be paid by now; tells whether the month was confirmed now.

    Problem where it is not the next one, or not over.
    """
    try:
        done = _confirm(context, period, context.progress)
    except MonthRefused as error:
        raise conflict("charity.month", str(error)) from None
    if not done:
        release(context)
    return done


def confirm_due(context: GatewayContext, progress: Progress) -> None:
    """Confirm every month that is over, the oldest first, and release what may be paid by now; with nothing to do, silent."""
    zone = ZoneInfo(context.settings.operator.timezone)
    while True:
        with context.reading() as connection:
            _, period = next_period(connection, zone)
        if period is None or context.clock() < end_of(period, zone) + GRACE or not _confirm(context, period, progress):
            break
    release(context)


def _confirm(context: GatewayContext, period: str, progress: Progress) -> bool:
    zone = ZoneInfo(context.settings.operator.timezone)
    with context.reading() as connection:
        policies = context.settings.charity.later(zone)
        month = read_month(connection, period, zone, context.clock(), progress, policies)
        register = read_register(connection)
    if month is None:
        return False
    done = context.lane.run(ConfirmMonth(month, _roads(context, register)))
    if done is None:
        return False
    context.log("charity.month.confirmed", {"period": period, "moves": done.moves})
    return True


def release(context: GatewayContext) -> None:
    """Have what was confirmed before follow what its causes may be paid today: an extract may have come, or an agreement."""
    with context.reading() as connection:
        standings, register = read_standings(connection), read_register(connection)
    roads = _roads(context, register)
    if not any(all_moves(standings, {}, roads)):
        return
    moves = context.lane.run(ReleaseConfirmed(roads))
    if moves:
        context.log("charity.confirmed.released", {"moves": moves})


def _roads(context: GatewayContext, register: Register) -> Roads:
    """Return where confirmed money may go today."""
    day, charity, causes = today(context), context.settings.charity, context.settings.causes.values()
    payable = [
        (cause.id, cause.agreement.currency)
        for cause in causes
        if cause.agreement and not obstacle(cause, cause.agreement.currency, day, register)
    ]
    successors = {cause.id: cause.successor.cause for cause in causes if cause.successor}
    asked = frozenset[str]()
    if charity.after_asking == "unassigned":
        asked = context.read(lambda connection: asked_out(connection, charity.ask_days, context.clock()))
    return Roads(frozenset(payable), successors, asked)
