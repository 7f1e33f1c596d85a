"""Which notices a line's use makes due: once for each cause and period, statutory ones whatever STOP and the hour say."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from support.charging_fixture import INITIAL, MSISDN, PENNY, TERMINATION, UPDATE, ccr, service
from support.gy_samples import avp
from support.notice_fixture import ABROAD, BORDER, HOME, POUND, watched_place

from gateway.balance.line_terms import SetCreditLimit
from gateway.notices.kinds import KINDS, NoticeClass
from gateway.notices.line_notices import NoticeTerms
from gateway.notices.quiet_hours import QuietHours
from gateway.store import tables

MEGABYTE = 1_000_000
STARTS = datetime.fromtimestamp(1_700_000_000, UTC)
"""22:13 on a fixture's clock."""
NIGHT, DAY = QuietHours(22 * 60, 8 * 60, UTC), QuietHours(8 * 60, 22 * 60, UTC)


@pytest.fixture
def open_place(tmp_path):
    opened = []

    def enter(**options):
        context = watched_place(f"sqlite:///{tmp_path}/lines.db", **options)
        opened.append((context, context.__enter__()))
        return opened[-1][1]

    yield enter
    for context, place in opened:
        assert place.books_are_right()
        context.__exit__(None, None, None)


def use(place, number, octets, network, session="pgw;1;1", kind=UPDATE, ask=0):
    where = avp("PS-Information", avp("3GPP-SGSN-MCC-MNC", network.encode()))
    used = (octets,) if octets else ()
    return place.ask(ccr(kind, number, service(used=used, ask=ask), session=session, service_information=where))


def test_who_begins_to_roam_is_told_the_prices_there_once_a_country_and_day(open_place):
    place = open_place(terms=NoticeTerms("GBP", border=frozenset({BORDER[:3]})))
    place.enrol(5 * POUND)
    use(place, 0, 0, HOME, kind=INITIAL)
    assert place.notices() == []
    use(place, 1, MEGABYTE, ABROAD)
    use(place, 2, MEGABYTE, ABROAD)
    ((kind, words, always, payer),) = place.notices()
    assert (kind, always, payer) == ("roaming_start", 1, None)
    assert words == (
        "TPO: you are roaming. Data £0.05 a MB, calls £0.10 a minute, calls to you £0.00 a minute, texts £0.06. "
        "You may set a bill limit at any time."
    )
    for number, network in enumerate((HOME, ABROAD, BORDER, HOME, BORDER), 3):
        use(place, number, 0, network)
    assert place.kinds()[1:] == ["roaming_start", "roaming_inadvertent"]
    use(place, 8, 0, HOME)
    place.jump(86_400)
    use(place, 9, 0, ABROAD)
    assert place.kinds()[3:] == ["roaming_start"]


def test_at_the_cap_abroad_use_there_ends_and_use_at_home_goes_on(open_place):
    place = open_place(cap=10 * PENNY)
    place.enrol(5 * POUND)
    use(place, 0, 0, ABROAD, kind=INITIAL)
    use(place, 1, MEGABYTE, ABROAD)
    over = use(place, 2, 2 * MEGABYTE, ABROAD)
    assert over.multiple_services_credit_control[0].result_code == 4012
    assert place.kinds() == ["roaming_start", "cap_abroad_reached"]
    assert [amount for amount, _ in place.booked("absorbed")] == [5 * PENNY]
    home = use(place, 0, 0, HOME, session="pgw;1;2", kind=INITIAL)
    assert home.multiple_services_credit_control[0].result_code == 2001
    assert place.agree("abroad").cap_agreed
    again = use(place, 3, 0, ABROAD)
    assert again.multiple_services_credit_control[0].result_code == 2001
    assert place.kinds()[-1] == "cap_abroad_agreed"


def test_a_low_balance_is_told_of_once_until_the_line_is_topped_up(open_place):
    place = open_place(terms=NoticeTerms("GBP", low_balance=POUND), quiet=DAY)
    place.enrol(POUND + 5 * PENNY)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    for number in (1, 2, 3):
        place.ask(ccr(UPDATE, number, service(used=(4 * MEGABYTE,), ask=0)))
    assert place.notices() == [("low_balance", "TPO: your balance is £0.97.", 0, None)]
    place.top_up(MSISDN, 10 * POUND, "shop-1")
    place.ask(ccr(UPDATE, 4, service(used=(10 * MEGABYTE,), ask=0)))
    assert len(place.notices()) == 1


def test_a_share_of_an_allowance_is_told_of_once_an_allowance(open_place):
    place = open_place(quiet=DAY)
    place.enrol(10 * POUND, plan="bundle-gb")
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(UPDATE, 1, service(used=(10 * MEGABYTE,), ask=0)))
    assert place.notices() == []
    place.ask(ccr(UPDATE, 2, service(used=(6 * MEGABYTE,), ask=0)))
    place.ask(ccr(TERMINATION, 3, service(used=(MEGABYTE,))))
    assert place.notices() == [("allowance_low", "TPO: 80% of your allowance for data is used.", 0, None)]


def test_a_courtesy_waits_for_the_end_of_the_quiet_hours_and_a_statutory_notice_does_not(open_place):
    place = open_place(terms=NoticeTerms("GBP", low_balance=4 * POUND), quiet=NIGHT)
    assert NIGHT.holds(int(STARTS.timestamp()) * 1_000_000)
    place.enrol(4 * POUND)
    place.limit(MEGABYTE)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(UPDATE, 1, service(used=(MEGABYTE,), ask=0)))
    assert place.kinds() == ["bill_limit_set"]
    place.limit(PENNY)
    assert place.kinds() == ["bill_limit_set"] * 2
    place.jump(10 * 3600)
    place.ask(ccr(UPDATE, 2, service(ask=0)))
    assert place.kinds()[2:] == ["bill_limit_reached", "low_balance"]


def test_a_courtesy_to_another_coast_waits_for_the_morning_there(open_place):
    place = open_place(terms=NoticeTerms("GBP", low_balance=4 * POUND), quiet=QuietHours(0, 8 * 60, UTC))
    place.enrol(4 * POUND, msisdn="13105550123")
    place.jump(12 * 3600)  # 10:13 by the operator's clocks, and 02:13 in Los Angeles
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(UPDATE, 1, service(used=(MEGABYTE,), ask=0)))
    assert place.kinds() == []
    place.jump(6 * 3600)
    place.ask(ccr(UPDATE, 2, service(ask=0)))
    assert place.kinds() == ["low_balance"]


def test_a_courtesy_that_is_still_under_way_when_the_quiet_hours_begin_expires(open_place):
    place = open_place(terms=NoticeTerms("GBP", low_balance=4 * POUND), quiet=QuietHours(23 * 60, 8 * 60, UTC))
    place.enrol(4 * POUND)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(UPDATE, 1, service(used=(MEGABYTE,), ask=0)))
    (until,) = place.read(select(tables.texts.c.valid_until))[0]
    assert datetime.fromtimestamp(until / 1e6, UTC).strftime("%H:%M") == "23:00"


def test_stop_ends_courtesies_and_no_statutory_notice(open_place):
    place = open_place(terms=NoticeTerms("GBP", low_balance=4 * POUND))
    place.enrol(4 * POUND)
    place.says("STOP")
    place.limit(PENNY)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(UPDATE, 1, service(used=(MEGABYTE,), ask=0)))
    ids = [number for (number,) in place.read(select(tables.notices.c.id).order_by(tables.notices.c.id))]
    assert place.kinds() == ["bill_limit_set", "bill_limit_reached", "low_balance"]
    assert [place.take(number) for number in ids] == [[0], [0], []]


def test_without_a_link_nothing_is_written_and_nothing_counts_as_said(open_place):
    place = open_place(linked=False)
    sub = place.enrol(4 * POUND)
    place.limit(PENNY)
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(UPDATE, 1, service(used=(MEGABYTE,), ask=0)))
    assert place.notices() == []
    assert place.spending(sub).marks == {}


@pytest.mark.parametrize("language", ["es", "fr"])
def test_a_notice_is_written_in_the_operators_language_in_letters_of_the_gsm_alphabet(open_place, language):
    place = open_place(language=language)
    place.enrol(5 * POUND)
    use(place, 0, 0, ABROAD, kind=INITIAL)
    ((_, words, _, _),) = place.notices()
    assert words.encode("ascii", "replace").count(b"?") <= words.count("é") + words.count("£") + words.count("à")
    assert "£0.05" in words


def test_each_kind_is_statutory_by_a_named_rule_or_a_courtesy():
    for row in KINDS.values():
        assert bool(row.source) is (row.notice_class is NoticeClass.STATUTORY)


def test_who_pays_afterwards_is_told_of_no_low_balance(open_place):
    place = open_place(terms=NoticeTerms("GBP", low_balance=POUND))
    place.enrol(0)
    place.lane.run(SetCreditLimit("msisdn", MSISDN, 20 * POUND, "tester", "contract"))
    place.ask(ccr(INITIAL, 0, service(ask=0)))
    place.ask(ccr(UPDATE, 1, service(used=(MEGABYTE,), ask=0)))
    assert place.booked("charge") == [(PENNY, None)]
    assert place.notices() == []
