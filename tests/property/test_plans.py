"""Whatever a plan asks and however usage is cut, ordered and late: prices follow from their records, caps and limits hold."""

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from gateway.balance.profiles import Profile
from gateway.balance.wallets import Wallet
from gateway.charging.decide import ChargingState, decide
from gateway.charging.request import INITIAL, TERMINATION, UPDATE, ChargingRequest, Item, Used
from gateway.charging.tariff import QuotaTerms, Tariff
from gateway.charity.choices import Choice, Share
from gateway.charity.policies import POLICIES, WHOLE
from gateway.ledger.money import format_amount, parse_amount
from gateway.rating.calendars import day_of
from gateway.rating.paid_service_limits import limit_of
from gateway.rating.plans import CalledRates, Cap, Period, Plan, Rate, ServiceCharge, caps_of
from gateway.rating.prices import price, service_price
from gateway.rating.rate_keys import rate_by, read_key

LONDON, SECOND = ZoneInfo("Europe/London"), 1_000_000
POLICY = POLICIES["2026-1"]
TERMS = QuotaTerms(tolerance=10_000_000)
BEGINS = [
    datetime(2026, 10, 24, 18, tzinfo=UTC),  # a night with a change of clocks, in which a month's last week begins
    datetime(2026, 3, 28, 18, tzinfo=UTC),
    datetime(2026, 10, 31, 20, tzinfo=UTC),
    datetime(2028, 2, 28, 20, tzinfo=UTC),  # a leap day, and the end of its month
]
PERIODS = (Period("night", (0, 1, 2, 3, 4), 19 * 60, 7 * 60), Period("weekend", (5, 6), 0, 1440))
MONEY = st.integers(0, 3_000_000)
SIMPLE = st.builds(
    Rate, MONEY, st.sampled_from([1, 60, 1_000_000]), st.sampled_from([1, 6, 30, 60]), st.sampled_from([0, 30, 60]),
    connection=st.sampled_from([0, 0, 50_000]),
)  # fmt: skip
TIMED = st.builds(
    lambda rate, at: Rate(rate.price, rate.per, rate.step, rate.minimum, connection=rate.connection, at=at),
    SIMPLE, st.dictionaries(st.sampled_from(["night", "weekend"]), SIMPLE),
)  # fmt: skip
PREMIUM = st.builds(
    lambda rate, service, tenth: Rate(rate.price, 60, in_bundle=False, service=ServiceCharge(service, tenth)),
    SIMPLE, st.builds(Rate, st.integers(0, 20_000_000), st.just(60), connection=MONEY), st.booleans(),
)  # fmt: skip
CAPS = st.lists(
    st.tuples(MONEY, st.sampled_from([("data",), ("data", "voice"), ("voice",)]), st.booleans()),
    max_size=4, unique_by=lambda cap: cap[1:],
).map(lambda found: tuple(sorted(itertools.starmap(Cap, found), key=lambda cap: cap.monthly)))  # fmt: skip
PLANS = st.builds(
    lambda currency, data, voice, called, caps: Plan(
        "p", "P", currency, data, voice, Rate(0, 1), destinations={"449": called}, periods=PERIODS, caps=caps
    ),
    st.sampled_from(["GBP", "JPY", "KWD"]), TIMED, TIMED, st.builds(CalledRates, voice=PREMIUM), CAPS,
)  # fmt: skip
SESSIONS = {0: ("data", ""), 1: ("voice", ""), 2: ("voice", "449098790123"), 3: ("data", "")}
STEPS = st.lists(
    st.tuples(
        st.sampled_from(list(SESSIONS)),
        st.lists(st.integers(0, 700), max_size=2),
        st.sampled_from([0, 60, 3600, 8 * 3600, 30 * 3600]),
        st.sampled_from([0, 0, 0, 5, 26 * 3600]),
        st.sampled_from([None, 0, 50]),
    ),
    max_size=14,
)


class Line:
    """One line on a plan, and everything that came of what it did."""

    def __init__(self, plan, balance, now):
        self.plan, self.now, self.ids = plan, now, itertools.count(1)
        self.tariff = Tariff({"p": plan}, POLICY, TERMS, lambda _: 7, "GB", LONDON)
        self.wallet = Wallet(1 << 40, plan.currency, balance, 0, [], "active")
        self.profile = Profile(((0, "p"),), (Choice(0, (Share("wwf", 7000), Share("wateraid", 3000))),))
        self.sessions, self.used, self.usage, self.entries = {}, Counter(), [], []

    def ask(self, name, kind, amounts, *, late=0, wanted=None):
        service, called = SESSIONS[name]
        used = tuple(Used(*((each * 1000, 0, 0) if service == "data" else (0, each, 0))) for each in amounts)
        at = self.now - late * SECOND
        items = (Item(None, (), used, wanted),)
        request = ChargingRequest(
            str(name), "pgw", "pgw", kind, 0, service, at, at, "234", None, items, 0, False, called=called
        )
        state = ChargingState(self.sessions.get(name), self.wallet, self.profile)
        before = self.wallet.available
        decision = decide(state, request, self.tariff, self.now, 1, self.ids.__next__)
        assert decision.held == []
        if not used:
            assert self.wallet.available >= min(0, before), "a grant takes no wallet below zero"
        assert self.wallet.reserved >= 0
        self.sessions[name] = decision.session
        self.used[name] += sum(each.quantity(service) for each in used)
        self.usage += decision.usage
        self.entries += decision.entries

    def live(self, steps):
        for name, amounts, passing, late, wanted in steps:
            self.now += passing * SECOND
            kind = UPDATE if name in self.sessions else INITIAL
            self.ask(name, kind, amounts, late=late, wanted=wanted)
        for name in list(self.sessions):
            self.ask(name, TERMINATION, [])


def day(record):
    return datetime.fromtimestamp(record.event_at // SECOND, UTC).astimezone(LONDON).date()


@given(PLANS, st.sampled_from(BEGINS), st.integers(0, 50_000_000), STEPS)
def test_prices_follow_from_their_records_and_the_books_add_up(plan, begins, balance, steps):
    line = Line(plan, balance, int(begins.timestamp()) * SECOND)
    line.live(steps)
    totals = Counter()
    for record in line.usage:
        rate = rate_by(plan, record.service, None, read_key(record.rate_key))
        units = record.octets + record.seconds - record.covered
        cost = price(rate, record.rated_before + units) - price(rate, record.rated_before)
        assert record.price == cost - record.capped
        assert 0 <= record.capped <= cost
        assert record.rated_before == totals[record.session]
        totals[record.session] += units
    assert sum(totals.values()) == sum(line.used.values())
    paid = sum(record.price for record in line.usage)
    assert (line.wallet.balance, line.wallet.reserved) == (balance - paid, 0)
    kinds = Counter()
    for entry in line.entries:
        kinds[entry.kind] += entry.amount
    assert kinds["charge"] + kinds["service"] == paid
    charged = Counter()
    for entry in line.entries:
        if entry.kind == "charge":
            session = next(record.session for record in line.usage if record.id == entry.usage_id)
            charged[session] += entry.amount
    assert kinds["accrual"] == sum(POLICY.tenth(amount) for amount in charged.values())
    assert all(entry.share in (7000, 3000) and entry.share < WHOLE for entry in line.entries if entry.kind == "accrual")
    assert parse_amount(format_amount(paid, plan.currency)) == paid


@given(PLANS, st.sampled_from(BEGINS), STEPS)
def test_within_a_session_and_a_tariff_period_slices_come_to_the_one_shot_price(plan, begins, steps):
    line = Line(plan, 10**12, int(begins.timestamp()) * SECOND)
    line.live(steps)
    for _, records in itertools.groupby(line.usage, key=lambda record: (record.session, record.rate_key)):
        found = list(records)
        rate = rate_by(plan, found[0].service, None, read_key(found[0].rate_key))
        first, last = found[0].rated_before, found[-1].rated_before + found[-1].octets + found[-1].seconds
        assert sum(record.price + record.capped for record in found) == price(rate, last) - price(rate, first)


@given(PLANS, st.sampled_from(BEGINS), STEPS)
def test_a_days_and_a_months_total_are_the_lesser_of_sum_and_cap_in_any_order(plan, begins, steps):
    line = Line(plan, 10**12, int(begins.timestamp()) * SECOND)
    line.live(steps)
    capped = [
        record for record in line.usage
        if caps_of(plan, rate_by(plan, record.service, None, read_key(record.rate_key)), record.service)
    ]  # fmt: skip
    if len(plan.caps) == 1 and not plan.caps[0].monthly:
        (cap,) = plan.caps
        costs, paid = Counter(), Counter()
        for record in capped:
            costs[day(record)] += record.price + record.capped
            paid[day(record)] += record.price
        assert paid == Counter({date: min(cost, cap.price) for date, cost in costs.items()})
    for cap in plan.caps:
        paid = Counter()
        for record in capped:
            if record.service in cap.services:
                paid[day(record).isoformat()[: 7 if cap.monthly else 10]] += record.price
        assert all(amount <= cap.price for amount in paid.values())
    if {cap.services for cap in plan.caps} == {("data", "voice")} and len(plan.caps) == 2:
        of_day, of_month = plan.caps
        days = Counter()
        for record in capped:
            days[day(record)] += record.price + record.capped
        months, paid = Counter(), Counter()
        for date, cost in days.items():
            months[date.isoformat()[:7]] += min(cost, of_day.price)
        for record in capped:
            paid[day(record).isoformat()[:7]] += record.price
        assert paid == Counter({month: min(cost, of_month.price) for month, cost in months.items()})


@given(PLANS, st.sampled_from(BEGINS), STEPS)
def test_services_are_paid_within_the_law_one_by_one_and_month_by_month(plan, begins, steps):
    line = Line(plan, 10**12, int(begins.timestamp()) * SECOND)
    line.live([(2 if name == 1 else name, [each * 10 for each in amounts], *rest) for name, amounts, *rest in steps])
    limit = limit_of("GB", plan.currency)
    calls, months = Counter(), Counter()
    for record in line.usage:
        rate = rate_by(plan, record.service, None, read_key(record.rate_key))
        if rate.service is not None:
            passed_on = service_price(rate, record.rated_before + record.seconds) - service_price(
                rate, record.rated_before
            )
            calls[record.session] += passed_on - record.capped
            months[day(record).isoformat()[:7]] += passed_on - record.capped
    if limit is None:
        assert not any(record.capped for record in line.usage if record.rate_key.startswith("//449"))
        return
    assert all(amount <= limit.each for amount in calls.values())
    assert all(amount <= limit.monthly for amount in months.values())


@given(st.sampled_from(BEGINS), st.integers(0, 5 * 86_400), st.integers(1, 86_400))
def test_every_moment_of_a_month_is_in_one_day_also_where_clocks_change(begins, seconds, more):
    at = int((begins + timedelta(seconds=seconds)).timestamp()) * SECOND
    first, last, date = day_of(at, LONDON)
    assert first <= at < last
    assert str(date) == datetime.fromtimestamp(at // SECOND, UTC).astimezone(LONDON).date().isoformat()
    later = day_of(at + more * SECOND, LONDON)
    assert later[0] in (first, last) or later[0] >= last
