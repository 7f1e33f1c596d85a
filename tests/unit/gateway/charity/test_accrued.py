import itertools
from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select
from support.lanes import Workplace

from gateway.charity import accrued
from gateway.charity.accrued import FEWEST, MINUTE, Part, SumAccruals, gather, merge
from gateway.store.engine import reading
from gateway.store.tables import held_accruals, outbox, transfers

NOON = 1_700_000_000_000_000 // MINUTE * MINUTE


@pytest.fixture
def place(tmp_path):
    place = Workplace(f"sqlite:///{tmp_path}/t.db")
    place.lane.start()
    place.numbers = itertools.count(place.node.next_id + 10_000)
    yield place
    place.close()


def charge(place, at, subscriber, causes, *, kind="charge", amount=1_000_000):
    """Book a charge and its accruals as the desk does; gives what accrued to each cause."""
    usage, reference = (next(place.numbers), None) if kind == "charge" else (None, f"sale:{next(place.numbers)}")
    account, giving = place.accounts, place.accounts["giving"]
    rows = [(kind, subscriber, account["revenue"], amount)]
    rows += [("accrual", giving, account[cause], amount // 10 // len(causes)) for cause in causes]
    with place.writer.begin() as connection:
        for name, debit, credit, value in rows:
            row = (next(place.numbers), at, name, debit, credit, value, "GBP", at, usage, None, None, None, reference)
            connection.execute(insert(transfers).values(row))


def sum_up(place, now):
    passes = 0
    while True:
        with reading(place.reader) as connection:
            sums = gather(connection, place.node.id, now)
        if sums is None:
            return passes
        place.lane.run(SumAccruals("ocs.test.example", sums))
        passes += 1


def told(place):
    rows = place.read(select(outbox.c.topic, outbox.c.body).order_by(outbox.c.id))
    assert all(topic == "charity/accrued" for topic, _ in rows)
    return [msgspec.json.decode(body) for _, body in rows]


def test_ten_subscribers_of_a_minute_are_told_as_one_sum(place):
    for subscriber in range(10):
        charge(place, NOON + subscriber, (1 << 40) + subscriber, ["cause:wwf"])
    charge(place, NOON + 20, 1 << 40, ["cause:wwf"], amount=70)
    sum_up(place, NOON + 2 * MINUTE)
    (event,) = told(place)
    assert event["type"] == "org.tpo.charity.accrued.v1"
    assert event["source"] == "/tpo/ocs.test.example"
    assert event["data"] == {
        "cause": "wwf",
        "currency": "GBP",
        "amount": "1.000007",
        "count": 10,
        "from": "2023-11-14T22:13:00Z",
        "to": "2023-11-14T22:14:00Z",
    }


def test_an_event_has_no_subject_and_names_no_record_or_subscriber(place):
    for subscriber in range(12):
        charge(place, NOON, (1 << 40) + 7_000_000 + subscriber, ["cause:wwf"])
    sum_up(place, NOON + 2 * MINUTE)
    (event,) = told(place)
    assert "subject" not in event
    ids = [i for row in place.read(select(transfers.c.id, transfers.c.usage_id, transfers.c.debit)) for i in row if i]
    text = msgspec.json.encode(event).decode()
    assert not [number for number in ids if number > 1 << 20 and str(number) in text]


def test_fewer_than_ten_are_held_back_until_later_minutes_bring_the_rest(place):
    for minute in range(4):
        for subscriber in range(3):
            charge(place, NOON + minute * MINUTE, (1 << 40) + 3 * minute + subscriber, ["cause:wwf"])
    for minute in range(1, 4):
        sum_up(place, NOON + minute * MINUTE + 6_000_000)
        assert told(place) == []
    assert place.read(select(held_accruals.c.amount)) == [(900_000,)]
    sum_up(place, NOON + 5 * MINUTE)
    (event,) = told(place)
    assert (event["data"]["count"], event["data"]["amount"]) == (12, "1.20")
    assert (event["data"]["from"], event["data"]["to"]) == ("2023-11-14T22:13:00Z", "2023-11-14T22:17:00Z")
    assert place.read(select(held_accruals)) == []


def test_a_hundred_charges_of_nine_subscribers_are_never_told(place):
    for turn in range(100):
        charge(place, NOON + turn * MINUTE // 10, (1 << 40) + turn % 9, ["cause:wwf"])
    sum_up(place, NOON + 60 * MINUTE)
    assert told(place) == []
    assert place.read(select(held_accruals.c.amount)) == [(10_000_000,)]


def test_causes_and_sales_are_summed_apart_and_a_split_choice_counts_for_both(place):
    for subscriber in range(10):
        charge(place, NOON, (1 << 40) + subscriber, ["cause:wwf", "cause:wateraid"])
        charge(place, NOON, (1 << 40) + subscriber, ["unassigned"], kind="sale")
    sum_up(place, NOON + 2 * MINUTE)
    found = {event["data"]["cause"]: (event["data"]["amount"], event["data"]["count"]) for event in told(place)}
    assert found == {"wwf": ("0.50", 10), "wateraid": ("0.50", 10), "unassigned": ("1.00", 10)}


def test_the_minute_that_is_not_over_waits(place):
    for subscriber in range(20):
        charge(place, NOON + subscriber // 10 * MINUTE, (1 << 40) + subscriber % 10, ["cause:wwf"])
    assert sum_up(place, NOON + MINUTE + 4_000_000) == 0
    assert sum_up(place, NOON + MINUTE + 5_000_000) == 1
    assert sum_up(place, NOON + MINUTE + 5_000_000) == 0
    assert [event["data"]["to"] for event in told(place)] == ["2023-11-14T22:14:00Z"]


def test_sums_that_were_gathered_twice_are_written_once(place):
    for subscriber in range(10):
        charge(place, NOON, (1 << 40) + subscriber, ["cause:wwf"])
    with reading(place.reader) as connection:
        sums = gather(connection, place.node.id, NOON + 2 * MINUTE)
    assert place.lane.run(SumAccruals("n", sums)) == 1
    assert place.lane.run(SumAccruals("n", sums)) == 0
    assert len(told(place)) == 1


def test_an_accrual_whose_charge_is_out_of_sight_is_summed_but_counts_nobody(place):
    for subscriber in range(10):
        charge(place, NOON, (1 << 40) + subscriber, ["cause:wwf"])
    row = (
        next(place.numbers),
        NOON,
        "accrual",
        1,
        place.accounts["cause:wwf"],
        5,
        "GBP",
        NOON,
        None,
        50,
        None,
        None,
        None,
    )
    with place.writer.begin() as connection:
        connection.execute(insert(transfers).values(row))
    sum_up(place, NOON + 2 * MINUTE)
    (event,) = told(place)
    assert (event["data"]["amount"], event["data"]["count"]) == ("1.000005", 10)


def test_another_nodes_journal_is_left_to_it(place):
    place.numbers = itertools.count((place.node.id + 1) << 40)
    for subscriber in range(10):
        charge(place, NOON, (1 << 40) + subscriber, ["cause:wwf"])
    assert sum_up(place, NOON + 2 * MINUTE) == 0


def test_a_long_backlog_is_summed_in_bounded_passes_and_nothing_is_lost_or_summed_twice(place, monkeypatch):
    monkeypatch.setattr(accrued, "SPAN", 50)
    for turn in range(200):
        charge(place, NOON + turn * MINUTE // 20, (1 << 40) + turn % 40, ["cause:wwf"])
    place.numbers = itertools.count(place.node.id * (1 << 40) + (1 << 30))  # a gap, as a restart leaves one
    for turn in range(5):
        charge(place, NOON + 11 * MINUTE, (1 << 40) + turn, ["cause:wwf"])
    assert sum_up(place, NOON + 20 * MINUTE) > 10
    amounts = [event["data"]["amount"] for event in told(place)]
    assert all(event["data"]["count"] >= 10 for event in told(place))
    held = sum(amount for (amount,) in place.read(select(held_accruals.c.amount)))
    assert sum(round(float(amount) * 1_000_000) for amount in amounts) + held == 205 * 100_000
    assert len({event["id"] for event in told(place)}) == len(amounts)


parts = st.builds(
    Part,
    st.integers(1, 6),
    st.sampled_from([1, 2]),
    st.sampled_from(["GBP", "USD"]),
    st.one_of(st.none(), st.integers(1, 30)),
    st.integers(1, 1000),
)


@given(st.lists(parts, max_size=80), st.lists(parts, max_size=80))
def test_whatever_comes_every_amount_is_told_or_held_once_and_no_small_group_is_told(first, second):
    told_first, held = merge([], first)
    told_second, held = merge(held, [msgspec.structs.replace(p, minute=p.minute + 6) for p in second])
    total = Counter()
    for part in first + second:
        total[part.account, part.currency] += part.amount
    for found in [*told_first, *told_second, *held]:
        total[found.account, found.currency] -= found.amount
        assert found.from_at < found.to_at
    assert not +total
    assert not -total
    assert all(len(found.subscribers) >= FEWEST for found in told_first + told_second)
    assert all(len(found.subscribers) < FEWEST for found in held)
