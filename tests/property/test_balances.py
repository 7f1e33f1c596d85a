"""Whatever is used, bought, given, lent, ended and renewed in whatever order: the books add up, to the micro-unit.

Zero sums by currency, allowance + charged = used, the tenth by the policy, each allowance what its entries and usage say.
"""

import itertools
import tempfile

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from support.books import check
from support.charging_fixture import UPDATE, ccr, charging_place, service

from gateway.balance.families import SetPayer
from gateway.balance.line_terms import SetCreditLimit, SetRenewal
from gateway.balance.promotions import GivePromotion
from gateway.balance.refunds import RefundUsage, charged
from gateway.balance.topups import Payment, TopUp
from gateway.charging.add_ons import BuyAddOn
from gateway.charging.check_sessions import wrong_sessions
from gateway.charging.renewals import KeepWallet, due_wallets
from gateway.charity.policies import recompute
from gateway.rating.plans import Bundle, Plan, Rate
from gateway.rating.prices import price
from gateway.store import tables

DAY_US, POUND = 86_400_000_000, 1_000_000
NUMBERS = ("447700900001", "447700900002", "447700900003")
DATA = Rate(7, 3)
"""A price that divides into no whole micro-units."""
PLAN = Plan(
    "p", "", "GBP", DATA, Rate(30_000, 60), Rate(20_000, 1), {},
    Bundle(3_333_333, 0, data=900_001, roll_over=("data",)),
    add_ons={"boost": Bundle(1_000_001, 3, data=500_003)},
)  # fmt: skip
lines = st.integers(0, len(NUMBERS) - 1)
octets = st.integers(0, 2_000_000)
STEPS = st.one_of(
    st.tuples(st.just("use"), lines, octets, st.integers(0, 3), st.integers(0, 100_000)),
    st.tuples(st.just("wait"), st.sampled_from([1, DAY_US // 3, DAY_US, 3 * DAY_US, 20 * DAY_US])),
    st.tuples(st.just("keep")),
    st.tuples(st.just("refund"), st.integers(0, 20)),
    st.tuples(st.just("add-on"), lines),
    st.tuples(st.just("promote"), lines, st.integers(1, 3_000_000), st.integers(1, 9)),
    st.tuples(st.just("pay"), lines, st.integers(1, 3_000_000), st.sampled_from([0, 2, 40])),
    st.tuples(st.just("renew"), lines, st.booleans(), st.integers(0, 31)),
    st.tuples(st.just("limit"), lines, st.integers(0, 2_000_000)),
    st.tuples(st.just("family"), st.integers(1, 2), st.booleans(), st.none() | st.integers(0, 2_000_000)),
)


class Play:
    """Lines on a store of their own, and what was reported of each."""

    def __init__(self, place):
        self.place, self.sessions, self.reported, self.taken = place, {}, 0, itertools.count()
        for i, number in enumerate(NUMBERS):
            place.enrol(5 * POUND, f"23415000000000{i}", number, plan="p", cause="wwf" if i != 1 else "")

    def use(self, line, used, session, wanted):
        name, imsi = f"s{line}-{session}", f"23415000000000{line}"
        number = self.sessions[name] = self.sessions.get(name, -1) + 1
        item = service(used=[used], ask=wanted if wanted % 2 else None)
        self.place.ask(ccr(UPDATE, number, item, session=name, imsi=imsi))
        self.reported += used

    def wait(self, time):
        self.place.ticks = itertools.count(next(self.place.ticks) + time, 1_000)

    def keep(self):
        with self.place.reader.connect() as connection:
            due = list(due_wallets(connection, next(self.place.ticks), [self.place.node.id]))
        for owner in due:
            self.place.lane.run(KeepWallet(owner))

    def refund(self, which):
        """Give a record back, perhaps one that was given back before."""
        used = self.place.read(select(tables.usage.c.id).order_by(tables.usage.c.id))
        if used:
            with self.place.reader.connect() as connection:
                found = charged(connection, used[which % len(used)][0])
            self.place.lane.run(RefundUsage(found, "t", "r"))

    def do(self, step):
        kind, *more = step
        run, key = self.place.lane.run, f"r{next(self.taken)}"
        match kind:
            case "use" | "wait" | "keep" | "refund":
                getattr(self, kind)(*more)
            case "add-on":
                run(BuyAddOn("msisdn", NUMBERS[more[0]], "boost", "t", key))
            case "promote":
                run(GivePromotion("msisdn", NUMBERS[more[0]], more[1], "GBP", more[2], "t", key))
            case "pay":
                run(TopUp("msisdn", NUMBERS[more[0]], Payment("t", key, more[1], "GBP"), 500 * POUND, None, more[2]))
            case "renew":
                run(SetRenewal("msisdn", NUMBERS[more[0]], more[1], more[2], "t", "r"))
            case "limit":
                run(SetCreditLimit("msisdn", NUMBERS[more[0]], more[1], "t", "r"))
            case "family":
                run(SetPayer(NUMBERS[more[0]], NUMBERS[0] if more[1] else "", more[2], "t", "r"))

    def check(self):
        with self.place.reader.connect() as connection:
            assert check(connection, recompute).findings == []
            assert list(wrong_sessions(connection)) == []
        used = tables.usage.c
        sums = self.place.read(
            select(used.session, func.sum(used.octets), func.sum(used.covered), func.sum(used.price)).group_by(
                used.session
            )
        )
        held = self.place.read(select(func.count()).select_from(tables.held_reports))[0][0]
        assert held or sum(row[1] for row in sums) == self.reported
        for _, total, covered, paid in sums:
            assert paid == price(DATA, total - covered), "allowance + charged = used"


# Shrinking would take minutes: each example is a store of its own.
@settings(
    max_examples=60,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(steps=st.lists(STEPS, min_size=5, max_size=40), last=st.booleans())
def test_the_books_add_up_whatever_happens(steps, last):
    with (
        tempfile.TemporaryDirectory() as folder,
        charging_place(f"sqlite:///{folder}/t.db", plans={"p": PLAN}) as place,
    ):
        tariff = place.policy.tariff.__class__(
            **{name: getattr(place.policy.tariff, name) for name in place.policy.tariff.__struct_fields__}
            | {"promotions_last": last, "credit_vat": 1_750}
        )
        place.decide_by(place.policy.__class__(tariff, place.books, place.policy.rated, place.policy.room))
        play = Play(place)
        for step in steps:
            play.do(step)
        play.check()
