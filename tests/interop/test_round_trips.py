"""How often a batch waits for a PostgreSQL server, and how many statements it sends."""

from typing import get_args, get_origin

import pytest
from sqlalchemy import select, update
from support.charging_fixture import INITIAL, MSISDN, TERMINATION, UPDATE, ccr, charging_place, service
from support.lane_fixture import CAUSE_SEALS
from support.one_batch import together
from support.postgres_wire import round_trips, wire

import gateway.units  # noqa: F401  (all kinds of row sets, by all units)
from gateway.balance.profiles import ProfileRows
from gateway.balance.wallets import WalletRows
from gateway.charging.credit_control import CreditControlUnit
from gateway.charging.gy import ccr as gy_ccr
from gateway.charging.session import AnswerRows
from gateway.charity.sealed_causes import CauseSeals
from gateway.events.outbox import OutboxRows
from gateway.store.batch import RowSet, Unit
from gateway.store.statements import pipelined
from gateway.store.tables import lines, wallets
from protocols.diameter.codec import FLAG_PROXIABLE, FLAG_REQUEST, encode_message
from protocols.diameter.generated import decode, encode
from protocols.diameter.messages import CreditControlRequest


def row_sets(kind=RowSet):
    for each in kind.__subclasses__():
        yield from row_sets(each)
        if each.__module__.startswith("gateway."):
            yield each


def sample_key(kind):
    """A key of the type that the row set is of."""
    base = next(base for base in kind.__orig_bases__ if get_origin(base) is RowSet)
    key = get_args(base)[0]
    return tuple(each() for each in get_args(key)) if get_origin(key) is tuple else key()


NEVER_READ = (AnswerRows, OutboxRows)


@pytest.mark.parametrize(
    "kind", [each for each in row_sets() if each not in NEVER_READ], ids=lambda kind: kind.__name__
)
def test_rows_of_every_kind_can_be_asked_for_amid_others(place, kind):
    row_set, key = kind(), sample_key(kind)
    row_set.policies = {CauseSeals: CAUSE_SEALS}
    with place.writer.begin() as connection, pipelined(connection):
        row_set.ask(connection, {key})()
    assert set(row_set.rows) <= {key}


class LooksByItself(Unit):
    """Reads by SQLAlchemy while the rows of its batch are asked for."""

    touches = (WalletRows, ProfileRows)

    def keys(self, row_set, batch):
        return batch.connection.scalars(select(wallets.c.subscriber_id)).all()

    def decide(self, batch) -> int:
        return sum(batch.row_set(WalletRows).get(owner) is not None for owner in batch.row_set(ProfileRows).rows)


def test_a_unit_may_read_by_itself_while_rows_are_asked_for(place):
    assert [*map(place.lane.run, (LooksByItself(), LooksByItself()))] == [20, 20]


@pytest.fixture
def place(request, database):
    with charging_place(database(f"trips_{abs(hash(request.node.nodeid))}")) as place:
        for number in range(20):
            place.enrol(100_000_000, imsi=imsi(number), msisdn=str(int(MSISDN) + number))
        yield place


def imsi(number):
    return f"2341500000001{number:02}"


def unit(place, number, request_type, request_number, *used, session="pgw"):
    message = ccr(request_type, request_number, service(10, used, 0), session=f"{session};{number}", imsi=imsi(number))
    frame = encode_message(FLAG_REQUEST | FLAG_PROXIABLE, 272, 4, 1, 1, encode(message))
    return CreditControlUnit(
        gy_ccr.read(decode(CreditControlRequest, frame), "pgw.host.example", next(place.ticks), "GB")
    )


def reserved(place):
    """Subscribers that money is set aside for, in the order in which they were enrolled."""
    with place.writer.connect() as connection:
        rows = connection.execute(select(wallets.c.reserved).order_by(wallets.c.subscriber_id)).scalars()
        return [number for number, amount in enumerate(rows) if amount]


def test_a_number_that_is_another_customers_by_now_leads_to_that_ones_wallet(place):
    for number in (0, 1):
        (result,) = together(place.lane, unit(place, number, INITIAL, 0))
        (result,) = together(place.lane, unit(place, number, TERMINATION, 1))
        assert str(result.outcome.code) == "success"
    assert reserved(place) == []
    change_hands(place, imsi(0), imsi(1))
    results = together(place.lane, unit(place, 0, INITIAL, 0, session="later"))
    assert str(results[0].outcome.code) == "success"
    assert reserved(place) == [1]
    change_hands(place, imsi(1), imsi(0))
    results = together(place.lane, *(unit(place, number, INITIAL, 0, session="last") for number in (0, 2, 1)))
    assert [str(result.outcome.code) for result in results] == ["success"] * 3
    assert reserved(place) == [0, 1, 2]


def change_hands(place, one, other):
    """Have two numbers belong to each other's subscribers, as another gateway may."""
    with place.writer.begin() as connection:
        owners = dict(connection.execute(select(lines.c.value, lines.c.subscriber_id)).all())
        for number, before in ((one, owners[other]), (other, owners[one])):
            connection.execute(update(lines).where(lines.c.value == number).values(subscriber_id=before))


def test_a_batch_of_charging_waits_for_the_server_a_handful_of_times_however_many_it_holds(place):
    waits, sent = [], []
    for size in (2, 20):
        together(place.lane, *(unit(place, number, INITIAL, size) for number in range(size)))
        for repeat in range(2):  # what is new to the connection is prepared the first time
            updates = [unit(place, number, UPDATE, 100 * size + repeat, 1_000_000) for number in range(size)]
            with wire(place) as messages:
                results = together(place.lane, *updates)
            assert all(str(result.outcome.code) == "success" for result in results), results
        waits.append(round_trips(messages))
        sent.append(sum("\tBind\t" in line for line in messages))
    held_back = 2  # by a batch of its own, before: BEGIN with its lease, and what it saves with its COMMIT
    first_answers = 1  # may come while the last of many rows are still being sent
    print("WAITS", waits, sent)
    assert max(waits) <= held_back + 2 + first_answers, waits
    assert sent[0] == sent[1] <= 15, sent
