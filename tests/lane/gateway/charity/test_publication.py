"""The months' figures of giving from the journal to the outbox: each entry in one of them, each month once."""

import itertools
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
from sqlalchemy import delete, insert, select, update
from support.lane_fixture import CAUSE_SEALS, CAUSES, Workplace

from gateway.charity import publication
from gateway.charity.check_public_sums import wrong_public_sums
from gateway.charity.publication import GRACE, MonthReader, PublishMonth, cause_of, first_since, published
from gateway.ledger import accounts
from gateway.store import nodes
from gateway.store.engine import reading
from gateway.store.tables import marks, outbox, public_sums, publications, transfers, unpublished_sums

LONDON, POUND = ZoneInfo("Europe/London"), 1_000_000
SECOND, DAY = 1_000_000, 86_400_000_000


def london(*moment):
    return int(datetime(*moment, tzinfo=LONDON).timestamp()) * SECOND


NOVEMBER, DECEMBER, JANUARY = london(2026, 11, 1), london(2026, 12, 1), london(2027, 1, 1)


@pytest.fixture
def place(tmp_path):
    yield from opened(f"sqlite:///{tmp_path}/t.db")


def opened(url):
    """A store whose journal is written by hand."""
    place = Workplace(url)
    place.lane.start()
    place.unguard()  # a figure is made of whatever stands in the journal, with evidence or without
    place.numbers = itertools.count(place.node.next_id + 10_000)
    with place.writer.begin() as connection:
        gifts = map(accounts.gifts_account, CAUSES)
        place.accounts = accounts.ensure(connection, [*place.accounts, *gifts]).numbers
    yield place
    place.close()


def charge(place, at, givers, causes=("cause:wwf",), *, kind="charge", amount=10 * POUND):
    """Book a charge of each of these subscribers and its accruals, as the charging desk does."""
    account, giving, booked = place.accounts, place.accounts["giving"], []
    for giver in givers:
        usage, reference = (next(place.numbers), None) if kind == "charge" else (None, f"sale:{next(place.numbers)}")
        rows = [(kind, (1 << 40) + giver, account["revenue"], amount)]
        rows += [("accrual", giving, account[cause], amount // 10 // len(causes)) for cause in causes]
        booked += [
            (next(place.numbers), at, name, debit, credit, value, "GBP", at, usage, 1, "2026-1", 10_000, reference)
            for name, debit, credit, value in rows
        ]
    book(place, booked)


def book(place, rows):
    with place.writer.begin() as connection:
        connection.execute(insert(transfers), [dict(zip(transfers.c.keys(), row, strict=True)) for row in rows])


def single(place, at, kind, debit, credit, amount):
    """Book one entry without what it comes from."""
    account = place.accounts
    sides = [side if isinstance(side, int) else account[side] for side in (debit, credit)]
    book(place, [(next(place.numbers), at, kind, *sides, amount, "GBP", at, None, None, None, None, None)])


def month_of(place, now, zone=LONDON):
    """The next month that is over, added up; None where there is none."""
    with reading(place.reader) as connection:
        reader = MonthReader(connection, zone, now, CAUSE_SEALS)
        if reader.period is None:
            return None
        while reader.advance(connection):
            continue
        return reader.month()


def publish(place, now, zone=LONDON):
    """What the gateway does each minute; gives the months that were published."""
    periods = []
    while (month := month_of(place, now, zone)) is not None:
        assert place.lane.run(PublishMonth("ocs.test.example", month))
        periods.append(month.period)
    return periods


def told(place):
    rows = place.read(select(outbox.c.topic, outbox.c.body).order_by(outbox.c.id))
    assert all(topic == "charity/accrued" for topic, _ in rows)
    return [msgspec.json.decode(body) for _, body in rows]


def amounts(place):
    return {(event["data"]["period"], event["data"]["cause"]): event["data"]["amount"] for event in told(place)}


def test_a_month_is_told_as_one_figure_a_cause_without_count_subject_or_record(place):
    charge(place, NOVEMBER + DAY, range(7_000_000, 7_000_060))
    assert publish(place, DECEMBER + GRACE) == ["2026-11"]
    (event,) = told(place)
    assert event["type"] == "org.tpo.charity.accrued.v1"
    assert event["source"] == "/tpo/ocs.test.example"
    assert event["data"] == {"period": "2026-11", "cause": "wwf", "amount": "60.00", "currency": "GBP"}
    assert "subject" not in event
    ids = [i for row in place.read(select(transfers.c.id, transfers.c.usage_id, transfers.c.debit)) for i in row if i]
    text = msgspec.json.encode(event).decode()
    assert not [number for number in ids if number > 1 << 20 and str(number) in text]


def test_a_month_waits_for_its_end_and_the_time_after_it(place):
    charge(place, NOVEMBER + DAY, range(60))
    for now in (NOVEMBER + 2 * DAY, DECEMBER - 1, DECEMBER, DECEMBER + GRACE - 1):
        assert publish(place, now) == []
    assert publish(place, DECEMBER + GRACE) == ["2026-11"]
    assert publish(place, DECEMBER + GRACE + DAY) == []
    assert len(told(place)) == 1


def test_the_month_is_that_of_the_operators_clock(place):
    charge(place, london(2026, 7, 1), range(60))  # still June in UTC
    assert month_of(place, london(2026, 7, 2) + GRACE, UTC).period == "2026-06"
    assert month_of(place, london(2026, 7, 2) + GRACE) is None


def test_what_is_booked_after_the_month_belongs_to_the_next_one_whenever_it_was_used(place):
    charge(place, NOVEMBER, range(60))
    publish(place, DECEMBER + GRACE)
    charge(place, DECEMBER - 1, range(50), amount=20 * POUND)  # a clock that was set back
    charge(place, DECEMBER + DAY, range(50))
    assert publish(place, JANUARY + GRACE) == ["2026-12"]
    assert amounts(place) == {("2026-11", "wwf"): "60.00", ("2026-12", "wwf"): "150.00"}


def test_gifts_and_sales_and_the_tenth_are_one_figure_and_payments_to_a_cause_are_none_of_it(place):
    charge(place, NOVEMBER, range(30))
    charge(place, NOVEMBER, range(30, 60), kind="sale")
    for giver in range(10):
        single(place, NOVEMBER, "gift", (1 << 40) + giver, "gifts:wwf", 2 * POUND)
    single(place, NOVEMBER, "payment", "cause:wwf", "cash", 45 * POUND)
    publish(place, DECEMBER + GRACE)
    assert amounts(place) == {("2026-11", "wwf"): "80.00"}


def test_one_who_only_made_a_gift_stands_behind_the_figure(place):
    charge(place, NOVEMBER, range(49))
    single(place, NOVEMBER, "gift", (1 << 40) + 49, "gifts:wwf", POUND)
    publish(place, DECEMBER + GRACE)
    assert amounts(place) == {("2026-11", "wwf"): "50.00"}


def test_many_charges_of_forty_nine_are_not_told_and_not_lost(place):
    for turn in range(20):
        charge(place, NOVEMBER + turn * DAY, range(49))
    assert publish(place, DECEMBER + GRACE) == ["2026-11"]
    assert told(place) == []
    assert place.read(select(unpublished_sums.c.cause, unpublished_sums.c.amount)) == [("wwf", 980 * POUND)]
    charge(place, DECEMBER, range(50))
    publish(place, JANUARY + GRACE)
    assert amounts(place) == {("2026-12", "wwf"): "1030.00"}
    assert place.read(select(unpublished_sums)) == []


def test_a_split_choice_stands_behind_both_causes_and_who_chose_none_is_told_like_a_cause(place):
    charge(place, NOVEMBER, range(50), ["cause:wwf", "cause:wateraid"], amount=30 * POUND)
    charge(place, NOVEMBER, range(50, 110), ["unassigned"])
    publish(place, DECEMBER + GRACE)
    assert amounts(place) == {
        ("2026-11", "wwf"): "75.00", ("2026-11", "wateraid"): "75.00", ("2026-11", "unassigned"): "60.00",
    }  # fmt: skip


def test_a_small_cause_is_joined_by_a_large_one_and_never_told_alone(place):
    charge(place, NOVEMBER, range(3), ["cause:wateraid"])
    charge(place, NOVEMBER, range(100, 170), ["cause:wwf"])
    charge(place, NOVEMBER, range(200, 290), ["unassigned"])
    publish(place, DECEMBER + GRACE)
    assert amounts(place) == {("2026-11", "smaller causes"): "73.00", ("2026-11", "unassigned"): "90.00"}


def test_what_is_taken_back_lessens_the_next_figure_and_never_the_one_that_was_told(place):
    charge(place, NOVEMBER, range(60))
    publish(place, DECEMBER + GRACE)
    charge(place, DECEMBER, range(60))
    single(place, DECEMBER, "accrual", "cause:wwf", "giving", 12_500_000)
    publish(place, JANUARY + GRACE)
    assert amounts(place) == {("2026-11", "wwf"): "60.00", ("2026-12", "wwf"): "47.00"}
    assert place.read(select(unpublished_sums.c.amount)) == [(500_000,)]


def test_months_that_passed_while_the_gateway_was_down_are_told_one_by_one(place):
    for start in (NOVEMBER, DECEMBER, london(2027, 2, 1)):
        charge(place, start, range(60))
    assert publish(place, london(2027, 3, 2)) == ["2026-11", "2026-12", "2027-02"]
    assert list(amounts(place)) == [("2026-11", "wwf"), ("2026-12", "wwf"), ("2027-02", "wwf")]


def test_a_month_that_was_added_up_twice_is_written_once(place):
    charge(place, NOVEMBER, range(60))
    first, second = month_of(place, DECEMBER + GRACE), month_of(place, DECEMBER + GRACE)
    assert place.lane.run(PublishMonth("a", first)) is True
    assert place.lane.run(PublishMonth("b", second)) is False
    assert len(told(place)) == 1
    assert place.read(select(publications.c.period)) == [("2026-11",)]


def test_a_month_that_was_added_up_before_another_one_was_told_is_not_written(place):
    charge(place, NOVEMBER, range(60))
    stale = month_of(place, DECEMBER + GRACE)
    publish(place, DECEMBER + GRACE)
    later = type(stale)("2026-12", stale.previous, stale.spans, stale.decision)
    assert place.lane.run(PublishMonth("b", later)) is False
    assert len(told(place)) == 1


def test_a_crash_before_the_commit_leaves_the_month_to_be_told(place):
    charge(place, NOVEMBER, range(60))
    month = month_of(place, DECEMBER + GRACE)

    class Torn(PublishMonth):
        def decide(self, batch):
            super().decide(batch)
            raise OSError("the power went away")

    with pytest.raises(Exception, match="power"):
        place.lane.run(Torn("a", month))
    published = place.read(select(marks).where(marks.c.name == publication.MARK))
    assert (told(place), place.read(select(publications)), published) == ([], [], [])
    assert publish(place, DECEMBER + GRACE) == ["2026-11"]
    assert len(told(place)) == 1


def test_the_journals_of_all_gateways_on_the_store_are_one_month(place):
    """Forty givers at each of two gateways: by gateway there would be no figure, or two whose difference tells."""
    charge(place, NOVEMBER, range(40))
    with place.writer.begin() as connection:
        assert nodes.enter(connection, "ocs2.test.example", 1).id == place.node.id + 1
    place.numbers = itertools.count(((place.node.id + 1) << 40) + 5)
    charge(place, NOVEMBER, range(40, 80))
    publish(place, DECEMBER + GRACE)
    assert amounts(place) == {("2026-11", "wwf"): "80.00"}
    assert len(place.read(select(marks).where(marks.c.name == "charity/accrued"))) == 2


def test_a_long_month_is_read_in_parts_and_the_gap_that_a_restore_leaves_is_jumped_over(place, monkeypatch):
    monkeypatch.setattr(publication, "SPAN", 50)
    charge(place, NOVEMBER, [n % 60 for n in range(300)])
    place.numbers = itertools.count(place.node.id * (1 << 40) + (1 << 36))
    charge(place, NOVEMBER + DAY, range(60))
    publish(place, DECEMBER + GRACE)
    assert amounts(place) == {("2026-11", "wwf"): "360.00"}


def test_an_accrual_whose_charge_is_out_of_sight_counts_and_stands_for_nobody(place):
    charge(place, NOVEMBER, range(49))
    single(place, NOVEMBER, "accrual", "giving", "cause:wwf", 10 * POUND)
    publish(place, DECEMBER + GRACE)
    assert told(place) == []
    charge(place, DECEMBER, range(50))
    publish(place, JANUARY + GRACE)
    assert amounts(place) == {("2026-12", "wwf"): "109.00"}


def test_what_was_published_last_is_what_the_page_shows(place):
    with reading(place.reader) as connection:
        assert published(connection) is None
    charge(place, NOVEMBER, range(60))
    charge(place, NOVEMBER, range(100, 170), ["cause:wateraid"])
    publish(place, DECEMBER + GRACE)
    with reading(place.reader) as connection:
        period, figures = published(connection)
    assert (period, [(f.cause, f.amount) for f in figures]) == (
        "2026-11", [("wateraid", 70 * POUND), ("wwf", 60 * POUND)],
    )  # fmt: skip
    assert len(place.read(select(public_sums))) == 2


def test_accounts_belong_to_their_causes():
    named = {name: cause_of(name) for name in ("cause:wwf", "gifts:wwf", "unassigned", "revenue", "giving", "cash")}
    assert named == {
        "cause:wwf": "wwf", "gifts:wwf": "wwf", "unassigned": "unassigned",
        "revenue": None, "giving": None, "cash": None,
    }  # fmt: skip


def test_a_moment_of_the_journal_is_found_by_halving(place):
    ids = {}
    for at in (100, 200, 300):
        charge(place, at, [1, 2])
        ids[at] = [number for (number,) in place.read(select(transfers.c.id).where(transfers.c.at == at))]
    with reading(place.reader) as connection:
        node = place.node.id
        for at in (100, 200, 300):
            found = first_since(connection, node, at)
            assert found <= min(ids[at])
            assert found > max((max(each) for when, each in ids.items() if when < at), default=0)
        assert first_since(connection, node, 301) == max(ids[300]) + 1
        assert first_since(connection, node + 1, 1) == (node + 1) << 40


@pytest.fixture
def told_of(place):
    """Two months of two causes, each with a rest that is carried on, and a day that no month has yet."""
    for start in (NOVEMBER, DECEMBER):
        charge(place, start, range(60), amount=12_345_670)
        charge(place, start, range(100, 170), ["cause:wateraid"], amount=7_654_320)
        single(place, start, "gift", (1 << 40) + 5, "gifts:wwf", 2 * POUND)
    charge(place, DECEMBER, range(60))
    single(place, DECEMBER, "accrual", "cause:wwf", "giving", 1_230_000)
    assert publish(place, JANUARY + GRACE) == ["2026-11", "2026-12"]
    charge(place, JANUARY + DAY, range(3))
    return place


def wrong(place, *statements):
    with place.writer.connect() as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount
        found = [finding.detail for finding in wrong_public_sums(connection, CAUSE_SEALS)]
        connection.rollback()
    return found


def test_figures_that_were_published_are_what_was_given(told_of):
    assert wrong(told_of) == []
    assert len(told_of.read(select(public_sums))) == 4


@pytest.mark.parametrize("amount", [61 * POUND, POUND])
def test_a_figure_that_was_changed_is_named_by_its_cause(told_of, amount):
    figure = (public_sums.c.cause == "wwf", public_sums.c.period == "2026-11")
    (said,) = wrong(told_of, update(public_sums).where(*figure).values(amount=amount))
    assert said.startswith("what was published of wwf in GBP and what is carried on come to ")
    assert "put public_sums and unpublished_sums back from a backup" in said


def test_figures_that_were_taken_away_moved_or_invented_are_named(told_of):
    assert len(wrong(told_of, delete(public_sums))) == 2
    assert len(wrong(told_of, update(public_sums).values(currency="EUR"))) == 4
    row = {"period": "2026-10", "cause": "wwf", "currency": "GBP", "amount": POUND}
    said = wrong(told_of, insert(public_sums).values(row))
    assert said[0].startswith(
        "the figure of wwf for 2026-10, 1000000 micro-units GBP, is of a month that was not published"
    )
    assert len(said) == 2
    both = wrong(
        told_of, update(public_sums).where(public_sums.c.cause == "wwf").values(amount=public_sums.c.amount + 1)
    )
    assert [each.partition(", is ")[2].partition(":")[0] for each in both[:2]] == ["no whole units of the currency"] * 2


@pytest.mark.parametrize("column", ["amount", "cause", "parts"])
def test_what_is_carried_on_cannot_be_changed(told_of, column):
    value = {"amount": 5, "cause": "oxfam", "parts": b"x"}[column]
    one = unpublished_sums.c.cause == "wwf"
    assert wrong(told_of, update(unpublished_sums).where(one).values({column: value}))
    assert wrong(told_of, delete(unpublished_sums).where(one))


def test_a_mark_that_was_moved_is_seen_by_what_was_given_until_there(told_of):
    last = told_of.read(select(transfers.c.id).order_by(transfers.c.id.desc()))[0][0]
    assert wrong(told_of, update(marks).where(marks.c.name == publication.MARK).values(value=last))


def test_where_causes_were_joined_all_of_the_currency_are_held_together(place):
    charge(place, NOVEMBER, range(3), ["cause:wateraid"])
    charge(place, NOVEMBER, range(100, 170), ["cause:wwf"])
    charge(place, NOVEMBER, range(200, 290), ["unassigned"])
    publish(place, DECEMBER + GRACE)
    assert wrong(place) == []
    (said,) = wrong(place, update(public_sums).where(public_sums.c.cause == "smaller causes").values(amount=POUND))
    assert said.startswith(
        "what was published of all causes in GBP and what is carried on come to 91000000 micro-units"
    )


def test_a_store_from_before_months_were_published_may_have_told_less(told_of):
    mark = insert(marks).values(node=0, name="tenth.running_since", value=5)
    assert wrong(told_of, mark, delete(public_sums)) == []
    assert wrong(told_of, mark, update(public_sums).values(amount=900 * POUND))


def test_figures_are_held_against_the_journal_of_a_server_too(database):
    for place in opened(database("figures")):
        charge(place, NOVEMBER, range(60), amount=12_345_670)
        single(place, NOVEMBER, "gift", (1 << 40) + 5, "gifts:wwf", 2 * POUND)
        publish(place, DECEMBER + GRACE)
        assert wrong(place) == []
        assert len(wrong(place, update(public_sums).values(amount=POUND))) == 1
