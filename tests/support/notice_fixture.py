"""Lines that are watched: a place for texts whose units write the notices that a use makes due."""

import itertools
from contextlib import contextmanager
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import select

from gateway.balance.check_spending import wrong_spending
from gateway.balance.line_rules import LineRules
from gateway.balance.spending import NO_LIMIT, BillingMonths
from gateway.balance.wallets import WalletRows
from gateway.messaging.policy import MessagingPolicy
from gateway.messaging.smpp_mapping import count_parts
from gateway.notices.limit_changes import AgreeToExceed, SetBillLimit
from gateway.notices.line_notices import LineNotices, NoticeTerms
from gateway.notices.quiet_hours import QuietHours
from gateway.notices.sending import NoticeSender
from gateway.notices.wording import WORDS
from gateway.rating.plans import Rate, Zone
from gateway.store import tables
from protocols.smpp.alphabets import Alphabet
from support.charging_fixture import MSISDN, PENNY, PLANS
from support.messaging_fixture import CODE, HOUR, TextPlace

POUND = 100 * PENNY
UTC = ZoneInfo("UTC")
BORDER, ABROAD, HOME = "27201", "20801", "23410"
EUROPE = Zone("europe", ("208", "272"), Rate(5 * PENNY, 1_000_000), Rate(10 * PENNY, 60), Rate(6 * PENNY, 1))
ROAMING_PLANS = {
    **PLANS,
    "payg-gb": msgspec.structs.replace(PLANS["payg-gb"], home=("234",), zones=(EUROPE,)),
}
BY_DAY = QuietHours(0, 0, UTC)


class WatchedPlace(TextPlace):
    """A place for texts with notices; `quiet` are the quiet hours, `cap` the one abroad, `more` observers look as well."""

    def __init__(self, url, *, terms=None, quiet=BY_DAY, cap=0, language="en", linked=True, more=None, **options):
        super().__init__(url, plans=ROAMING_PLANS, **options)
        tariff = msgspec.structs.replace(self.policy.tariff, months=BillingMonths(UTC), cap_abroad=cap)
        self.policy.tariff = tariff
        self.sender = NoticeSender(
            CODE, language, WORDS, {"operator": "TPO", "care": ""}, quiet, 48 * HOUR,
            lambda body: count_parts(body, Alphabet.GSM7), linked,
        )  # fmt: skip
        observers = (LineNotices(terms or NoticeTerms("GBP"), self.sender, tariff),)
        if more is not None:
            observers = (more(tariff), *observers)
        self.decide_by(
            LineRules.of(*observers),
            self.sender,
            msgspec.structs.replace(self.lane.policies[MessagingPolicy], charging=self.policy),
        )

    def jump(self, seconds):
        """Let time pass, however much of it."""
        self.ticks = itertools.count(next(self.ticks) + seconds * 1_000_000, 1_000)

    def limit(self, amount=NO_LIMIT, number=MSISDN, period=""):
        """A customer sets a bill limit (micro-units), or removes it; for one month, if that is said."""
        return self.lane.run(SetBillLimit("msisdn", number, "call", "2026-1", "desk", amount, period))

    def agree(self, what="bill", number=MSISDN):
        return self.lane.run(AgreeToExceed("msisdn", number, "call", "2026-1", "desk", what))

    def notices(self):
        """(kind, words) of each notice that was written, in order."""
        found = select(
            tables.notices.c.kind, tables.texts.c.body, tables.texts.c.always, tables.texts.c.payer
        ).join_from(tables.notices, tables.texts, tables.texts.c.id == tables.notices.c.id)
        return [tuple(row) for row in self.read(found.order_by(tables.notices.c.id))]

    def notice_ids(self):
        return [tuple(row) for row in self.read(select(tables.notices.c.id).order_by(tables.notices.c.id))]

    def books_are_right(self):
        with self.reader.connect() as connection:
            return super().books_are_right() and list(wrong_spending(connection, self.policy.tariff.months)) == []

    def kinds(self):
        return [kind for kind, *_ in self.notices()]

    def spending(self, subscriber):
        rows = WalletRows()
        with self.reader.connect() as connection:
            rows.load(connection, {subscriber})
        return rows.rows[subscriber].spending


@contextmanager
def watched_place(url, **options):
    """Open a watched place and start its lane."""
    place = WatchedPlace(url, **options)
    place.lane.start()
    try:
        yield place
    finally:
        place.close()
