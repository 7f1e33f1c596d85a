"""A payer's wallet pays for its members' lines, each up to its cap a month; the books say what each took."""

import itertools

import pytest
from sqlalchemy import func, select
from support.books import check
from support.charging_fixture import INITIAL, PENNY, TERMINATION, UPDATE, ccr, charging_place, service

from gateway.balance.families import FamilyRefused, FamilySet, SetPayer
from gateway.balance.wallets import WalletRows
from gateway.charity.policies import recompute
from gateway.store import tables
from gateway.store.batch import Unit

POUND, MEGABYTE, DAY_US = 100 * PENNY, 1_000_000, 86_400_000_000
PAYER, MEMBER, CHILD = "447700900001", "447700900002", "447700900003"
IMSIS = {PAYER: "234150000000001", MEMBER: "234150000000002", CHILD: "234150000000003"}


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/t.db") as opened:
        opened.owners = {
            number: opened.enrol(
                10 * POUND if number == PAYER else 0, imsi, number, cause="wwf" if number == PAYER else ""
            )
            for number, imsi in IMSIS.items()
        }
        yield opened
        with opened.reader.connect() as connection:
            assert check(connection, recompute).findings == []


def pay_for(place, number, payer=PAYER, cap=None):
    return place.lane.run(SetPayer(number, payer, cap, "tester", "family"))


def ask(place, number, kind, octets=None, used=None, session="s", request=0):
    item = service(used=[used] if used is not None else [], ask=octets)
    (answer,) = place.ask(
        ccr(kind, request, item, session=session, imsi=IMSIS[number])
    ).multiple_services_credit_control
    granted = answer.granted_service_unit
    return 0 if granted is None else granted.cc_total_octets


def balances(place):
    rows = place.read(select(tables.wallets.c.subscriber_id, tables.wallets.c.balance))
    found = dict(tuple(row) for row in rows)
    return [found[place.owners[number]] // PENNY for number in (PAYER, MEMBER, CHILD)]


def wallet(place, number):
    with place.reader.connect() as connection:
        rows = WalletRows()
        rows.load(connection, {place.owners[number]})
        return rows.rows[place.owners[number]]


def test_a_member_without_money_is_served_on_the_payers_and_only_what_it_holds_leaves_that(place):
    assert isinstance(pay_for(place, MEMBER), FamilySet)
    assert ask(place, MEMBER, INITIAL, 5 * MEGABYTE) == 5 * MEGABYTE
    assert balances(place) == [995, 5, 0]
    ask(place, MEMBER, UPDATE, 5 * MEGABYTE, used=3 * MEGABYTE, request=1)
    assert balances(place) == [992, 5, 0]
    ask(place, MEMBER, TERMINATION, used=MEGABYTE, request=2)
    assert balances(place) == [996, 0, 0]
    causes = select(tables.transfers.c.credit, tables.transfers.c.amount).where(tables.transfers.c.kind == "accrual")
    assert {account for account, _ in place.read(causes)} == {place.accounts["cause:wwf"]}, "the payer's cause"


@pytest.mark.parametrize("status", ["suspended", "closing", "terminated"])
def test_what_a_payer_lent_goes_back_to_it_also_once_it_is_not_active_any_more(place, status):
    pay_for(place, MEMBER)
    assert ask(place, MEMBER, INITIAL, 5 * MEGABYTE) == 5 * MEGABYTE
    place.lane.run(_Stand(place.owners[PAYER], status))
    assert ask(place, CHILD, INITIAL, 0, session="other") == 0
    ask(place, MEMBER, TERMINATION, used=MEGABYTE, request=1)
    assert balances(place) == [999, 0, 0]
    assert wallet(place, MEMBER).lent == 0
    assert ask(place, MEMBER, INITIAL, 5 * MEGABYTE, session="next") == 0


def test_a_member_whose_line_has_ended_keeps_nobody_from_joining_a_family(place):
    pay_for(place, CHILD, payer=MEMBER)
    place.lane.run(_Stand(place.owners[CHILD], "suspended"))
    assert pay_for(place, MEMBER).code == "family.chain"
    place.lane.run(_Stand(place.owners[CHILD], "terminated"))
    assert isinstance(pay_for(place, MEMBER), FamilySet)


class _Stand(Unit):
    """Give a wallet another status."""

    touches = (WalletRows,)
    line: int
    status: str

    def keys(self, row_set, batch):
        return (self.line,)

    def decide(self, batch) -> None:
        wallet = batch.row_set(WalletRows).get(self.line)
        wallet.status, wallet.changed = self.status, True


def test_members_share_what_the_payer_has(place):
    pay_for(place, MEMBER)
    pay_for(place, CHILD)
    ask(place, MEMBER, TERMINATION, used=600 * MEGABYTE, session="a")
    assert ask(place, CHILD, INITIAL, session="b", octets=0) == 10 * MEGABYTE
    ask(place, CHILD, TERMINATION, used=395 * MEGABYTE, session="c")
    assert ask(place, CHILD, INITIAL, session="d", octets=0) == 0, "all is used or held"
    assert sum(balances(place)) == 5


def test_a_cap_ends_what_a_member_takes_until_the_next_month(place):
    pay_for(place, MEMBER, cap=20 * PENNY)
    ask(place, MEMBER, TERMINATION, used=15 * MEGABYTE, session="a")
    assert ask(place, MEMBER, INITIAL, 10 * MEGABYTE, session="b") == 5 * MEGABYTE
    ask(place, MEMBER, TERMINATION, used=5 * MEGABYTE, session="b", request=1)
    assert ask(place, MEMBER, INITIAL, 10 * MEGABYTE, session="c") == 0
    assert balances(place) == [980, 0, 0]
    place.ticks = itertools.count(next(place.ticks) + 31 * DAY_US, 1_000)
    assert ask(place, MEMBER, INITIAL, 10 * MEGABYTE, session="d") == 10 * MEGABYTE


def test_a_members_own_money_goes_first(place):
    pay_for(place, MEMBER)
    place.top_up(MEMBER, 4 * PENNY, "own")
    ask(place, MEMBER, TERMINATION, used=3 * MEGABYTE, session="a")
    assert balances(place) == [1000, 1, 0]
    ask(place, MEMBER, TERMINATION, used=3 * MEGABYTE, session="b")
    assert balances(place) == [998, 0, 0]


def test_leaving_gives_back_what_nobody_holds_and_ends_the_payers_part(place):
    pay_for(place, MEMBER)
    ask(place, MEMBER, INITIAL, 5 * MEGABYTE)
    assert wallet(place, MEMBER).lent == 5 * PENNY
    assert pay_for(place, MEMBER, payer="").payer_id is None
    assert (balances(place), wallet(place, MEMBER).lent) == ([995, 5, 0], 0)
    ask(place, MEMBER, TERMINATION, used=5 * MEGABYTE, request=1)
    assert ask(place, MEMBER, INITIAL, 5 * MEGABYTE, session="b") == 0
    rows = tables.subscriber_history.c
    assert [after for (after,) in place.read(select(rows.after).order_by(rows.id))][1:] == ["nobody"]


@pytest.mark.parametrize(
    ("number", "payer", "code"),
    [(MEMBER, MEMBER, "family.payer"), (PAYER, CHILD, "family.chain"), (CHILD, MEMBER, "family.chain")],
)
def test_who_is_paid_for_pays_for_nobody(place, number, payer, code):
    pay_for(place, MEMBER)
    refused = pay_for(place, number, payer)
    assert isinstance(refused, FamilyRefused)
    assert refused.code == code
    assert place.read(select(func.count()).select_from(tables.families)) == [(1,)]
