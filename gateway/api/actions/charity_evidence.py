"""Actions that make evidence packs: of one bill, or of a sample of a month's that nobody could choose."""

import hashlib
from base64 import b64encode
from typing import Final

from msgspec.structs import replace
from sqlalchemy import Connection, select

from gateway.api.actions.charity_payments import record_look
from gateway.api.answers.charity import CommitmentMade, PackMade
from gateway.api.callers import Caller
from gateway.api.problems import conflict, not_found
from gateway.api.requests.charity import AuditSample, BillEvidence, CommitMonth
from gateway.billing.cuts import CLOSED, closes
from gateway.billing.packs.files import archive
from gateway.billing.packs.making import Asked, Month, PackMaker
from gateway.billing.packs.proving import NotProved
from gateway.billing.packs.reading import NotKept
from gateway.billing.packs.samples import TellBills, most_drawn
from gateway.billing.series import BILL
from gateway.context import GatewayContext
from gateway.store.tables import bills

MOST_OCTETS: Final = 64 << 20
"""What a pack has at most: a bill with a hundred uses takes 120 KiB, and some 200 where days have millions of rows."""


def evidence_of_bill(context: GatewayContext, request: BillEvidence, caller: Caller) -> PackMade:
    """Make the pack of a bill by its number; with `named` it tells which causes it gave to."""
    with context.reading() as connection:
        wanted = select(bills.c.period, bills.c.subscriber_id)
        row = connection.execute(wanted.where(bills.c.series == BILL, bills.c.number == request.bill)).one_or_none()
    record_look(context, caller, "charity.evidence", None if row is None else row.subscriber_id)
    if row is None:
        raise not_found("bill.unknown", f"there is no bill {request.bill}")
    return _made(context, Asked(row.period, bill=request.bill, named=request.named), f"bill-{request.bill}", caller)


def audit_month(context: GatewayContext, request: AuditSample, caller: Caller) -> PackMade:
    """Make the pack of a sample of a month's bills, drawn by a seed."""
    record_look(context, caller, "charity.audit")
    asked = Asked(request.period, seed=request.seed, sample=request.sample, named=request.named)
    return _made(context, asked, f"audit-{request.period}", caller)


def commit_month(context: GatewayContext, request: CommitMonth, caller: Caller) -> CommitmentMade:
    """Commit to the bills of a month, before anybody chooses a seed."""
    record_look(context, caller, "charity.commitment")
    with context.reading() as connection:
        made = _month(context, connection, request.period).commitment()
    content = made.content
    return CommitmentMade(
        period=request.period,
        bills=content["bills"],
        root=content["root"],
        commitment=b64encode(made.text).decode(),
        signature=made.signature.decode(),
    )


def _month(context: GatewayContext, connection: Connection, period: str) -> Month:
    found = [close for close in closes(connection) if close.period == period]
    if not found or found[-1].state != CLOSED:
        raise conflict("bill.open", f"{period} is not closed: tpo bill close {period}")
    return Month(connection, context.evidence_key, period)


def _bounded(context: GatewayContext, month: Month, asked: Asked) -> Asked:
    """Draw no more than a sample without causes may tell of, together with those before it; Problem where it may not."""
    most = most_drawn(len(month.tree.numbers))
    asked = replace(asked, sample=min(asked.sample, most))
    told = [month.tree.numbers[place] for place in month.drawn(asked)]
    if not context.lane.run(TellBills(asked.period, told, most)):
        raise conflict(
            "evidence.enough",
            f"samples without causes tell of {most} bills of {asked.period} at most, all of them together: draw fewer, or by a "
            "seed of before, or with causes",
        )
    return asked


def _made(context: GatewayContext, asked: Asked, name: str, caller: Caller) -> PackMade:
    with context.reading() as connection:
        month = _month(context, connection, asked.period)
        if asked.bill is None and not asked.named:
            asked = _bounded(context, month, asked)
        maker = PackMaker(connection, context.evidence_key, month, asked)
        try:
            found = maker.make(context.progress)
        except NotProved as error:
            context.log("charity.evidence.refused", {"table": error.table, "row": error.number})
            raise conflict("evidence.unproved", str(error)) from None
        except NotKept as error:
            raise conflict("evidence.incomplete", str(error)) from None
    folder = f"tpo-evidence-{name}"
    packed = archive(folder, found)
    if len(packed) > MOST_OCTETS:
        raise conflict("evidence.size", f"the pack has more than {MOST_OCTETS >> 20} MiB: draw fewer bills")
    digest = hashlib.sha256(packed).hexdigest()
    count = 1 if asked.bill is not None else min(asked.sample, len(month.tree.numbers))
    context.log(
        "charity.evidence.made", {"kind": asked.kind, "period": asked.period, "bills": count, "by": caller.name}
    )
    return PackMade(
        name=folder,
        period=asked.period,
        kind=asked.kind,
        bills=count,
        of=len(month.tree.numbers),
        claim=found["CLAIM.txt"].decode().rstrip("\n"),
        key=month.key.public,
        sha256=digest,
        unsealed=maker.unsealed,
        pack=b64encode(packed).decode(),
    )
