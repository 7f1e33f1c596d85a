"""A wrong price is put right: customers and causes stand as if it had been right from the start, and the books say how."""

import itertools
import tempfile
from datetime import UTC
from functools import partial

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from support.books import check
from support.charging_fixture import (
    EVENT,
    INITIAL,
    MSISDN,
    PENNY,
    PLANS,
    TERMINATION,
    UPDATE,
    ccr,
    charging_place,
    service,
)

from gateway.balance.changes import ChooseCauses
from gateway.charging.rerate import Rerated
from gateway.charging.rerate_lines import page_of_lines
from gateway.charging.rerate_reading import Wanted, page
from gateway.charity.choices import Share
from gateway.charity.policies import recompute
from gateway.ledger.balances import account_names, journal_totals
from gateway.rating.plans import Bundle, CalledRates, Cap, Rate, ServiceCharge
from gateway.rating.prices import price
from gateway.store import tables
from protocols.diameter.messages import UsedServiceUnit

MEGABYTE, POUND = 1_000_000, 1_000_000
DATABASES = itertools.count()
RIGHT = PLANS["payg-gb"]
WRONG = msgspec.structs.replace(RIGHT, data=Rate(10 * PENNY, MEGABYTE), voice=Rate(7 * PENNY, 60))
OTHER = {"imsi": "234150000000002", "msisdn": "447700900002"}
SPLIT = (Share("wateraid", 5000), Share("wwf", 5000))


def use(place):
    """What two customers used: slices that round, a change of causes amid a session, a session that goes on."""
    place.enrol(90 * POUND)
    place.enrol(90 * POUND, **OTHER, cause="")
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    for number, used in enumerate((3_333_333, 400, 400, 5), start=1):
        place.ask(ccr(UPDATE, number, service(used=[used], ask=0)))
    place.lane.run(ChooseCauses("msisdn", MSISDN, SPLIT))
    for number, used in enumerate((1_234_567, 3, 2_000_001), start=5):
        place.ask(ccr(UPDATE, number, service(used=[used]), service(200, used=[7]), service(30, used=[used])))
    place.ask(ccr(INITIAL, 0, service(ask=0), imsi=OTHER["imsi"], session="pgw;2"))
    place.ask(ccr(TERMINATION, 1, service(used=[999_999]), imsi=OTHER["imsi"], session="pgw;2"))
    call = service(None, used=[UsedServiceUnit(cc_time=61)])
    place.ask(ccr(TERMINATION, 0, call, imsi=OTHER["imsi"], session="pgw;3", context="32260@3gpp.org"))
    place.ask(ccr(EVENT, 0, service(ask=1_000_000), session="pgw;4"))


def go_on(place):
    place.ask(ccr(TERMINATION, 9, service(used=[777_777])))


def rerate(place, plan="payg-gb", since=0, dry_run=False, limit=1):
    """Price all pages anew, as the command does; gives what came of it."""
    wanted = Wanted(plan, place.policy.tariff.plans[plan].version, since, "ops", dry_run)
    together = Rerated()
    for look in (page, partial(page_of_lines, zone=UTC)):
        after = 0
        while after is not None:
            with place.reader.connect() as connection:
                found = look(connection, wanted, after=after, limit=limit)
            for unit in found.units:
                together.add(place.lane.run(unit))
            after = found.next
    return together


def standing(place):
    """Wallets and what causes are owed, as customers and causes see them."""
    with place.reader.connect() as connection:
        report = check(connection, recompute)
        assert report.findings == []
        names = account_names(connection)
        owed = {names[n]: sum_ for (n, _), sum_ in journal_totals(connection).items() if n in names}
    wallets = place.read(
        select(tables.wallets.c.balance, tables.wallets.c.given).order_by(tables.wallets.c.subscriber_id)
    )
    return [tuple(row) for row in wallets], owed


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/t.db", plans={**PLANS, "payg-gb": WRONG}) as opened:
        opened.unguard()
        yield opened


@pytest.fixture
def right(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/right.db") as opened:
        opened.unguard()
        yield opened


def near(found, wanted):
    """Say whether amounts are the same but for one micro-unit that rounding may move from one cause to another."""
    return found.keys() == wanted.keys() and all(abs(found[name] - wanted[name]) <= 2 for name in wanted)


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request, tmp_path):
    url = f"sqlite:///{tmp_path}/t.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("database")(f"rerated_{next(DATABASES)}", empty=True)
    with charging_place(url, plans={**PLANS, "payg-gb": WRONG}) as opened:
        opened.unguard()
        yield opened


def test_wallets_and_causes_stand_as_if_the_price_had_been_right_from_the_start(either, right):
    place = either
    for each in (place, right):
        use(each)
    assert standing(place) != standing(right)
    place.price_by(PLANS)
    result = rerate(place)
    assert (result.left, result.price_after < result.price_before) == ({}, True)
    (wallets, owed), (wanted_wallets, wanted_owed) = standing(place), standing(right)
    assert [balance for balance, _ in wallets] == [balance for balance, _ in wanted_wallets]
    assert [given for _, given in wallets] == [given for _, given in wanted_wallets]
    assert near(owed, wanted_owed), (owed, wanted_owed)
    assert (owed["revenue"], owed["giving"]) == (wanted_owed["revenue"], wanted_owed["giving"])


def test_a_session_that_goes_on_after_it_ends_as_if_the_price_had_been_right(place, right):
    for each in (place, right):
        use(each)
        each.price_by(PLANS)
    rerate(place)
    for each in (place, right):
        go_on(each)
    (wallets, owed), (wanted_wallets, wanted_owed) = standing(place), standing(right)
    assert [balance for balance, _ in wallets] == [balance for balance, _ in wanted_wallets]
    assert near(owed, wanted_owed)


def test_done_again_it_changes_nothing_and_stopped_it_goes_on(place):
    use(place)
    place.price_by(PLANS)
    version = place.policy.tariff.plans["payg-gb"].version
    with place.reader.connect() as connection:
        first = page(connection, Wanted("payg-gb", version, 0, "ops", False), after=0, limit=1)
    assert place.lane.run(first.units[0]).records > 0
    again = place.lane.run(first.units[0])  # the same unit, as after an answer that was lost
    assert (again.records, set(again.left)) == (0, {"meanwhile"})
    rerate(place)
    books = standing(place)
    assert rerate(place).records == 0
    assert standing(place) == books


def test_a_dry_run_says_what_would_come_of_it_and_books_nothing(place):
    use(place)
    place.price_by(PLANS)
    before = standing(place)
    told = rerate(place, dry_run=True)
    assert standing(place) == before
    assert told == rerate(place)


def test_what_was_used_before_the_time_and_of_another_plan_stays_and_a_second_mistake_is_put_right_too(place, right):
    use(place)
    events = [at for (at,) in place.read(select(tables.usage.c.event_at).order_by(tables.usage.c.event_at))]
    place.price_by({**PLANS, "payg-gb": msgspec.structs.replace(RIGHT, data=Rate(99 * PENNY, MEGABYTE))})
    assert rerate(place, since=events[-1] + 1).records == 0
    assert rerate(place, plan="bundle-gb").records == 0
    assert rerate(place).price_after > 0
    standing(place)
    place.price_by(PLANS)
    rerate(place)
    use(right)
    assert [balance for balance, _ in standing(place)[0]] == [balance for balance, _ in standing(right)[0]]


def test_a_correction_after_one_that_changed_nothing_goes_on_from_what_was_booked(place, right):
    use(place)
    use(right)
    for plans in (
        PLANS,
        {**PLANS, "payg-gb": msgspec.structs.replace(RIGHT, name="the same")},
        {"payg-gb": WRONG},
        PLANS,
    ):
        place.price_by({**PLANS, **plans})
        assert rerate(place).records > 0
    assert standing(place)[0] == standing(right)[0]


def test_each_correction_says_who_had_it_done_and_by_which_version(place):
    use(place)
    place.price_by(PLANS)
    rerate(place)
    rows = place.read(select(tables.reratings))
    records = place.read(select(func.count()).select_from(tables.usage))[0][0]
    assert len(rows) == records
    assert {(row.actor, row.version) for row in rows} == {("ops", place.policy.tariff.plans["payg-gb"].version)}


def test_records_that_cannot_be_put_right_stay_and_are_told_of(place):
    use(place)
    free = msgspec.structs.replace(RIGHT, data=Rate(0, 1), voice=Rate(PENNY, 60))
    place.price_by({**PLANS, "payg-gb": free})
    assert rerate(place).left == {}  # a bundle does not cover what costs nothing, nor did it
    with place.writer.begin() as connection:
        connection.execute(text("UPDATE subscribers SET status = 'terminated'"))
    place.price_by(PLANS)
    assert set(rerate(place).left) == {"line_ended"}
    standing(place)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE reratings SET price = price + 1",
        "UPDATE reratings SET price_before = price_before + 1",
        "UPDATE reratings SET version = 1",
        "DELETE FROM reratings",
        "UPDATE reratings SET replaces = 5 WHERE id = (SELECT min(id) FROM reratings)",
        "UPDATE transfers SET amount = amount + 1 WHERE kind = 'reversal'",
        "DELETE FROM transfers WHERE kind = 'rerated'",
        "UPDATE transfers SET debit = (SELECT id FROM accounts WHERE name = 'cause:wwf') WHERE kind = 'accrual_reversal'",
        "UPDATE transfers SET amount = amount / 2 WHERE kind = 'rerated_accrual'",
        "DELETE FROM transfers WHERE kind = 'accrual_reversal'",
        "UPDATE transfers SET usage_id = usage_id + 1 WHERE kind = 'reversal'",
        "UPDATE transfers SET reference = 'rerate:1' WHERE kind = 'reversal'",
    ],
)
def test_a_correction_that_was_changed_is_named(place, damage):
    use(place)
    place.price_by(PLANS)
    rerate(place)
    assert "rerating" in damaged(place, damage)


def test_a_tenth_that_was_put_right_goes_to_what_was_chosen_at_the_time(place):
    use(place)
    place.price_by(PLANS)
    rerate(place)
    moved = "UPDATE transfers SET credit = (SELECT id FROM accounts WHERE name = 'cause:wwf') WHERE kind = 'rerated_accrual'"
    assert "choice" in damaged(place, moved)


def damaged(place, statement):
    with place.writer.begin() as connection:
        assert connection.execute(text(statement)).rowcount > 0
    with place.reader.connect() as connection:
        return {finding.check for finding in check(connection, recompute).findings}


@pytest.mark.parametrize(("bundle", "left"), [(None, {}), (Bundle(POUND, 30, data=MEGABYTE), {"bundle": 1})])
def test_what_a_bundle_covers_by_the_right_version_alone_stays_only_where_one_would_have_been_sold(place, bundle, left):
    apart = msgspec.structs.replace(RIGHT, data=Rate(10 * PENNY, MEGABYTE, in_bundle=False))
    place.price_by({**PLANS, "payg-gb": apart})
    place.enrol(90 * POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(UPDATE, 1, service(used=[MEGABYTE], ask=0)))
    place.price_by({**PLANS, "payg-gb": msgspec.structs.replace(RIGHT, bundle=bundle)})
    result = rerate(place)
    assert (result.left, result.records) == (left, 0 if left else 1)
    standing(place)


CAP = Cap(50 * PENNY, ("data",))


def capped(place, used, *, cap=CAP, data=10 * PENNY):
    """What one customer used of a plan with a cap a day, in megabytes."""
    place.price_by({**PLANS, "payg-gb": msgspec.structs.replace(RIGHT, data=Rate(data, MEGABYTE), caps=(cap,))})
    place.enrol(90 * POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(UPDATE, 1, service(used=[used * MEGABYTE], ask=0)))


def test_what_a_cap_counts_is_put_right_where_no_price_reaches_it(place):
    capped(place, 4)
    place.price_by({**PLANS, "payg-gb": msgspec.structs.replace(RIGHT, caps=(CAP,))})
    result = rerate(place)
    assert (result.left, result.price_before, result.price_after) == ({}, 40 * PENNY, 4 * PENNY)
    standing(place)


@pytest.mark.parametrize(
    ("used", "right", "pays"),
    [
        (7, {"caps": (CAP,)}, 7),  # something was taken off
        (7, {"caps": (CAP,), "data": Rate(8 * PENNY, MEGABYTE)}, 50),  # by both
        (4, {"caps": (CAP,), "data": Rate(20 * PENNY, MEGABYTE)}, 50),  # by the right price alone
        (4, {"caps": (Cap(10 * PENNY, ("data",)),), "data": Rate(4 * PENNY, MEGABYTE)}, 10),  # lower than it was
        (4, {"caps": (CAP, Cap(6 * PENNY, ("data",), monthly=True)), "data": Rate(4 * PENNY, MEGABYTE)}, 6),
        (9, {"data": Rate(9 * PENNY, MEGABYTE)}, 81),  # no cap any more
    ],
)
def test_under_caps_a_day_comes_to_the_lesser_of_sum_and_cap_again(place, used, right, pays):
    capped(place, used)
    place.price_by({**PLANS, "payg-gb": msgspec.structs.replace(RIGHT, **right)})
    told = rerate(place, dry_run=True)
    assert (told.left, told.price_after) == ({}, pays * PENNY)
    assert rerate(place) == told
    (((balance, _),), _) = standing(place)
    assert balance == 90 * POUND - pays * PENNY
    assert rerate(place).records == 0
    place.ask(
        ccr(UPDATE, 2, service(used=[100 * MEGABYTE // 10], ask=0))
    )  # what is used next goes on from the new sums
    (((after, _),), _) = standing(place)
    caps = right.get("caps", ())
    cost = 10 * right.get("data", RIGHT.data).price
    assert balance - after == min([cost, *(cap.price - pays * PENNY for cap in caps)])


def test_a_cap_is_of_all_sessions_of_its_day_also_of_those_that_had_the_right_price_already(either):
    place = either
    capped(place, 4)  # 40 pence of a cap of 50
    place.price_by({**PLANS, "payg-gb": msgspec.structs.replace(RIGHT, caps=(CAP,), data=Rate(8 * PENNY, MEGABYTE))})
    place.ask(ccr(INITIAL, 0, service(ask=0), session="pgw;2"))
    place.ask(ccr(TERMINATION, 1, service(used=[4 * MEGABYTE]), session="pgw;2"))  # 32 pence, of which 10 are paid
    assert [cost for (cost,) in place.read(select(tables.usage.c.price).order_by(tables.usage.c.id))] == [
        40 * PENNY, 10 * PENNY,
    ]  # fmt: skip
    result = rerate(place)
    assert (result.left, result.records) == ({}, 2)
    (((balance, _),), _) = standing(place)
    assert balance == 90 * POUND - 50 * PENNY  # 32 and 18
    assert place.read(select(tables.reratings.c.price).order_by(tables.reratings.c.record_id)) == [
        (32 * PENNY,), (18 * PENNY,),
    ]  # fmt: skip


def test_what_was_beyond_the_customers_own_limit_is_left_and_so_is_a_line_that_goes_on_meanwhile(place):
    capped(place, 4)
    place.price_by({**PLANS, "payg-gb": msgspec.structs.replace(RIGHT, caps=(CAP,))})
    wanted = Wanted("payg-gb", place.policy.tariff.plans["payg-gb"].version, 0, "ops", dry_run=False)
    with place.reader.connect() as connection:
        (unit,) = page_of_lines(connection, wanted, after=0, limit=9, zone=UTC).units
    place.ask(ccr(UPDATE, 2, service(used=[MEGABYTE], ask=0)))
    assert place.lane.run(unit).left == {"meanwhile": 1}
    assert place.lane.run(msgspec.structs.replace(unit, seen={}, is_known=False)).left == {"limited": 1}
    assert rerate(place).left == {}
    standing(place)


STEPS = st.lists(
    st.tuples(
        st.integers(1, 9), st.integers(0, 2), st.sampled_from(["data", "data", "voice", "day", "reprice", "rerate"])
    ),
    min_size=2,
    max_size=12,
)
CAPS = (Cap(30 * PENNY, ("data", "voice")), Cap(70 * PENNY, ("data",), monthly=True))


@settings(max_examples=25, deadline=None)
@given(STEPS, st.permutations([0, 1, 2]))
def test_in_any_order_of_use_days_and_prices_the_totals_are_those_of_the_right_plan(steps, sessions):
    with tempfile.TemporaryDirectory() as folder, charging_place(f"sqlite:///{folder}/t.db") as place:
        place.unguard()

        def reprice(pence):
            plan = msgspec.structs.replace(
                RIGHT, data=Rate(pence * PENNY, MEGABYTE), voice=Rate(pence * PENNY, 60), caps=CAPS[: 1 + pence % 2]
            )
            place.price_by({**PLANS, "payg-gb": plan})

        reprice(9)
        place.enrol(90 * POUND)
        for number, (size, which, what) in enumerate(steps):
            if what == "data":
                call(place, sessions[which], number, service(used=[size * 333_333], ask=0))
            elif what == "voice":
                call(
                    place, 3 + which, number, service(None, used=[UsedServiceUnit(cc_time=size * 20)]), "32260@3gpp.org"
                )
            elif what == "day":
                place.ticks.skip(30_000 * size)
            elif what == "reprice":
                reprice(size)
            else:
                assert rerate(place).left == {}
        plan = msgspec.structs.replace(RIGHT, data=Rate(7 * PENNY, MEGABYTE), voice=Rate(5 * PENNY, 60), caps=CAPS)
        place.price_by({**PLANS, "payg-gb": plan})
        assert rerate(place, limit=2).left == {}
        (((balance, _),), _) = standing(place)
        assert 90 * POUND - balance == total(place, plan)


def call(place, session, number, use, context="32251@3gpp.org"):
    place.ask(ccr(UPDATE, number, use, session=f"pgw;{session}", context=context))


def total(place, plan):
    """What a plan asks for all that was used: of each day the lesser of sum and cap, then of the month."""
    columns = (tables.usage.c.event_at, tables.usage.c.service, tables.usage.c.octets, tables.usage.c.seconds,
               tables.usage.c.rated_before, tables.usage.c.id)  # fmt: skip
    days, paid, month = {}, 0, 0
    for at, kind, octets, seconds, before, _ in sorted(place.read(select(*columns)), key=lambda row: row[-1]):
        rate = plan.data if kind == "data" else plan.voice
        cost = price(rate, before + (octets or seconds)) - price(rate, before)
        day = at // 86_400_000_000
        of_day = days.get(day, 0)
        days[day] = of_day + cost
        cost = min(of_day + cost, CAPS[0].price) - min(of_day, CAPS[0].price)
        if kind == "data":
            month, cost = month + cost, min(month + cost, CAPS[1].price) - min(month, CAPS[1].price)
        paid += cost
    assert paid <= sum(min(each, CAPS[0].price) for each in days.values())
    return paid


def premium(access, passed_on, *, tenth):
    called = Rate(access * PENNY, 60, in_bundle=False, service=ServiceCharge(Rate(passed_on * PENNY, 60), tenth))
    return {**PLANS, "payg-gb": msgspec.structs.replace(RIGHT, destinations={"449": CalledRates(called)})}


def call_premium(url, plans, now):
    """What a call of 61 seconds stands as, when it was priced by some plans and put right by others, and what was left."""
    with charging_place(url, plans=plans) as place:
        place.enrol(90 * POUND)
        asked = service(None, used=[UsedServiceUnit(cc_time=61)])
        unit = place.unit(ccr(TERMINATION, 0, asked, session="pgw;7", context="32260@3gpp.org"))
        place.lane.run(type(unit)(msgspec.structs.replace(unit.request, called="449098790000")))
        place.price_by(now)
        left = rerate(place).left
        wallets, owed = standing(place)
        return wallets, {name: amount for name, amount in owed.items() if amount}, left


@pytest.mark.parametrize(("tenth", "charge"), [(False, 300), (True, 300), (True, 360)])
def test_the_tenth_of_a_call_that_is_put_right_is_not_of_what_a_third_party_has_where_none_accrues_on_that(
    tmp_path, tenth, charge
):
    right = premium(55, 300, tenth=tenth)
    put_right = call_premium(f"sqlite:///{tmp_path}/wrong.db", premium(90, charge, tenth=tenth), right)
    assert put_right == call_premium(f"sqlite:///{tmp_path}/right.db", right, right)


@pytest.mark.parametrize("wrong", [premium(90, 360, tenth=False), premium(90, 300, tenth=True)])
def test_a_call_of_which_a_third_party_would_have_another_part_is_left_to_be_settled_with_it(tmp_path, wrong):
    right = premium(55, 300, tenth=False)
    *stands, left = call_premium(f"sqlite:///{tmp_path}/wrong.db", wrong, right)
    *stood, _ = call_premium(f"sqlite:///{tmp_path}/same.db", wrong, wrong)
    assert (stands, left) == (stood, {"passed_on": 1})
