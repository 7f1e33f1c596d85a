"""The tenths of a pack: what each is of, by which rule, and how far its money came on the way to the cause."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from gateway.billing.packs import verify
from gateway.billing.packs.labels import Labels
from gateway.billing.packs.reading import Behind, NotKept, of_what
from gateway.billing.packs.row_leaves import RowLeaves
from gateway.charity.policies import POLICIES, SALE, SERVICES, Policy
from gateway.ledger.account_names import UNASSIGNED
from gateway.ledger.accounts import cause_account
from gateway.store.tables import cause_payments, charity_months, payouts
from gateway.store.versions import POLICY, read

UNKEPT: Final = 0
"""The session of usage that was booked to none."""
TENTH: Final = "tenth"
Row = dict[str, Any]


class Tenths:
    """Gathers the tenths of bills."""

    def __init__(self, connection: Connection, labels: Labels, leaves: RowLeaves, *, named: bool) -> None:
        """Take the store, what is said of rows, and whether causes are named."""
        self._connection, self._labels, self._leaves, self._named = connection, labels, leaves, named
        self._months = set(connection.scalars(select(charity_months.c.period)))
        self.rows: list[Row] = []
        self.payments: list[Row] = []

    def session(self, bill: int, row: Any) -> str:  # noqa: ANN401  (a row)
        """Return the label of a record's session; one that was booked to none is its own."""
        alone = row.session == UNKEPT
        return self._labels.of("record" if alone else "session", bill, row.id if alone else row.session)

    def add(self, bill: Any, label: str, found: Behind) -> Mapping[int, Row]:  # noqa: ANN401  (a row)
        """Take the tenths of a bill; gives what is told of each, by its number."""
        causes: dict[str, str] = {}
        told_of = {row.id for row in found.usage}
        told: dict[int, Row] = {}
        for row in found.tenths:
            of, cause = of_what(row, found.entries), self._cause(row)
            if of is None:
                raise NotKept("a tenth is of no entry on it: see tpo ledger check")
            causes.setdefault(cause, cause if self._named else self._labels.of("cause", bill.id, cause))
            told[row.id] = {
                "tenth": self._labels.of("entry", bill.id, row.id),
                "bill": label,
                "of": self._labels.of("entry", bill.id, of.id),
                "cause": causes[cause],
                **self._opened(row, is_told=row.usage_id in told_of),
                **self._leaves.tenth(row),
            }
        self.rows += told.values()
        for cause, named in sorted(causes.items(), key=lambda each: each[1]):
            way = self._way(bill, cause if self._named else None)
            self.payments.append({"bill": label, "cause": named, **way})
        return told

    def _opened(self, row: Any, *, is_told: bool) -> Row:  # noqa: ANN401  (a row)
        """Return what opens a row: its salt, what hides its use where that is told of, and its cause where these are named."""
        secrets = self._leaves.secrets
        return {
            "salt": secrets.salt(row.id).hex(),
            "opens": secrets.hiding(row.id).hex() if is_told else None,
            "opens_cause": secrets.hiding_cause(row.id).hex() if self._named else None,
        }

    def _cause(self, row: Any) -> str:  # noqa: ANN401  (a row)
        name = self._leaves.cause_account(row)
        return name.removeprefix(cause_account("")) if name.startswith(cause_account("")) else UNASSIGNED

    def _way(self, bill: Any, cause: str | None) -> Row:  # noqa: ANN401  (a row)
        """Return how far a cause's money of the month came: the payments from then on, the first ones first.

        Without a cause, those of all: which files there are, and what became of anything in them, would tell causes apart.
        """
        own, file = cause_payments.c, payouts.c
        wanted = (
            select(own.state, own.state_at, own.amount, file.period, file.sha256)
            .join_from(cause_payments, payouts, file.id == own.payout_id)
            .where(own.currency == bill.currency, own.stream == TENTH, file.period >= bill.period)
            .order_by(own.id)
        )
        if cause is not None:
            wanted = wanted.where(own.cause == cause)
        said = []
        for row in self._connection.execute(wanted):
            amount = {"amount": row.amount} if self._named else {}
            month = datetime.fromtimestamp(row.state_at // 1_000_000, UTC).strftime("%Y-%m")
            way = {"state": row.state, "month": month, "payout": row.period, "file": row.sha256} | amount
            said += [way] if self._named or way not in said else []
        return {"month": bill.period, "confirmed": bill.period in self._months, "payments": said}

    def policies(self) -> list[Row]:
        """Return the rules that tenths went by, and those by which a charge has none."""
        used, known = {row["policy"] for row in self.rows}, dict(POLICIES)
        for version in read(self._connection, POLICY):
            if version.content is not None:
                known[version.name] = msgspec.json.decode(version.content, type=Policy)
        return [
            {"policy": name, "base": rule.base, "rate": rule.rate, "tax": rule.tax, "leaves_out": _left_out(rule)}
            for name, rule in sorted(known.items())
            if name in used or rule.exclusions
        ]

    def sessions(self, usage: Sequence[Row], entries: Sequence[Row]) -> list[Row]:
        """Say of each session whether its tenths are here exactly: one that began on an earlier bill may stand elsewhere.

        A sale is one of its own.
        """
        rules, parts = {row["policy"]: row for row in self.policies()}, dict[str, list[Row]]()
        for row in self.rows:
            parts.setdefault(row["of"], []).append(row)
        of_use, charges = {row["usage"]: row["session"] for row in usage}, dict[str, list[Any]]()
        for entry in entries:
            if entry["kind"] in verify.BASES:
                charge = verify.charge_of(entry, parts.get(entry["entry"], []))
                charges.setdefault(of_use.get(entry["usage"]) or entry["entry"], []).append(charge)
        return [{"session": each, "exact": verify.is_exact(members, rules)} for each, members in charges.items()]


def _left_out(rule: Policy) -> list[str]:
    """Name what nothing accrues on by a rule: services, and sales."""
    return [each for each in (*SERVICES, SALE) if rule.leaves_out(each)]
