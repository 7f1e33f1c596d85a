import json

import msgspec
import pytest
from sqlalchemy import select
from support.charging_fixture import IMSI, MSISDN, PLANS, charging_place
from support.lane_fixture import CAUSE_SEALS, CAUSES

from gateway.balance import queries
from gateway.balance.changes import ChooseCauses, SubscriberUnknown
from gateway.balance.opening_balances import Enrol, RowInvalid, read_row
from gateway.balance.preferences import Preferences, preferences_of
from gateway.charity.choices import Share
from gateway.store import tables
from gateway.subscribers.identifier_history import IdentifierPeriod, IdentifierRows

ROW = {
    "msisdn": "+447700900001",
    "imsi": IMSI,
    "iccid": "8944100000000000001F",
    "plan": "payg-gb",
    "cause": "wwf",
    "balance": "5.00",
}


@pytest.fixture
def place(tmp_path):
    with charging_place(f"sqlite:///{tmp_path}/lines.db") as opened:
        yield opened


def enrol(place, **changes):
    row = read_row(ROW | changes, PLANS, CAUSES, languages=("en", "fr"))
    return place.lane.run(Enrol(row, "GBP"))


def show(place, subscriber_id):
    with place.reader.connect() as connection:
        return msgspec.to_builtins(queries.show(connection, subscriber_id, next(place.ticks), seals=CAUSE_SEALS))


@pytest.mark.parametrize(
    ("country", "number", "read"),
    [("GB", "07700900101", "447700900101"), ("US", "2025550129", "12025550129"), ("GB", "+2025550129", "2025550129")],
)
def test_a_number_of_an_import_is_read_by_the_operators_country(country, number, read):
    assert read_row(ROW | {"msisdn": number}, PLANS, CAUSES, country).msisdn == read


def test_an_imported_number_that_is_foreign_by_accident_is_refused():
    with pytest.raises(RowInvalid, match="by accident"):
        read_row(ROW | {"msisdn": "2025550129"}, PLANS, CAUSES, "GB")


def test_an_import_books_the_opening_balance_once(place):
    first = enrol(place)
    assert (first.outcome, enrol(place).outcome) == ("created", "unchanged")
    told = show(place, first.subscriber_id)
    assert (told["balance"], told["msisdn"], told["iccid"]) == ("5.00", MSISDN, "8944100000000000001")
    assert told["causes"] == [{"cause": "wwf", "percent": 100}]
    opening = place.read(select(tables.transfers.c.reference).where(tables.transfers.c.kind == "opening"))
    assert opening == [("import:8944100000000000001",)]


@pytest.mark.parametrize(
    ("column", "value"), [("balance", "6.00"), ("plan", "bundle-gb"), ("cause", ""), ("msisdn", "447700900002")]
)
def test_a_row_that_differs_from_the_first_import_is_reported_and_changes_nothing(place, column, value):
    first = enrol(place)
    before = show(place, first.subscriber_id)
    second = enrol(place, **{column: value})
    assert (second.outcome, second.message.startswith(f"{column}:")) == ("differs", True)
    assert show(place, first.subscriber_id) == before


def test_an_import_may_say_how_a_customer_is_written_to_and_rows_that_do_not_are_as_they_always_were(place):
    first = enrol(place)
    with place.reader.connect() as connection:
        assert preferences_of(connection, first.subscriber_id) == Preferences()
        columns = connection.scalar(
            select(tables.idempotency_keys.c.result).where(tables.idempotency_keys.c.scope == "import")
        )
    assert set(json.loads(columns)["columns"]) == {"msisdn", "imsi", "iccid", "plan", "cause", "balance"}
    assert enrol(place, language="fr").message == "language: not as first imported; nothing was changed"
    other = {"msisdn": "447700900009", "imsi": "234150000000009", "iccid": "8944100000000000009"}
    second = enrol(place, **other, language="fr", bills="unitemised")
    with place.reader.connect() as connection:
        assert preferences_of(connection, second.subscriber_id) == Preferences("fr", itemised=False)
    assert enrol(place, **other, language="fr", bills="unitemised").outcome == "unchanged"
    assert enrol(place, **other, language="fr").message == "bills: not as first imported; nothing was changed"


@pytest.mark.parametrize("column", ["msisdn", "imsi"])
def test_a_number_that_somebody_has_is_refused(place, column):
    enrol(place)
    others = {"msisdn": "447700900009", "imsi": "234150000000009", "iccid": "8944100000000000009"}
    second = enrol(place, **(others | {column: ROW[column]}))
    assert (second.outcome, second.message) == ("refused", f"{column}: belongs to another subscriber already")


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("msisdn", "07700900001", "country code"),
        ("msisdn", "44770090000x", "digits"),
        ("msisdn", "4477", "4 digits"),
        ("imsi", "12345", "14 or 15"),
        ("iccid", "1234567890123456789", "89"),
        ("plan", "payg-uk", "none of bundle-gb, payg-gb"),
        ("cause", "water", "choose among"),
        ("balance", "five", "no amount"),
        ("balance", "-1", "not negative"),
        ("balance", "1000000.01", "at most a million"),
        ("balance", "999999999999", "at most a million"),
        ("language", "de", "none of en, fr"),
        ("bills", "no", "neither itemised nor unitemised"),
    ],
)
def test_a_row_at_fault_names_its_column_and_never_the_whole_number(column, value, words):
    with pytest.raises(RowInvalid, match=words) as refused:
        read_row(ROW | {column: value}, PLANS, CAUSES, languages=("en", "fr"))
    assert column.lower() in str(refused.value).lower() or "cause" in str(refused.value)
    assert len(value) < 8 or value not in str(refused.value)


def test_a_change_to_nobody_changes_nothing(place):
    shares = (Share("wwf", 10_000),)
    assert isinstance(place.top_up("447700900777", 1, "x"), SubscriberUnknown)
    assert isinstance(place.lane.run(ChooseCauses("msisdn", "447700900777", shares)), SubscriberUnknown)


def test_two_choices_in_one_batch_leave_the_later_one(place):
    sub = enrol(place).subscriber_id
    place.ticks = iter([next(place.ticks)] * 50)
    place.lane.run(ChooseCauses("msisdn", MSISDN, (Share("wwf", 10_000),)))
    place.lane.run(ChooseCauses("msisdn", MSISDN, (Share("wateraid", 6_000), Share("wwf", 4_000))))
    with place.reader.connect() as connection:
        told = msgspec.to_builtins(queries.show(connection, sub, 1 << 60, seals=CAUSE_SEALS))
    assert told["causes"] == [{"cause": "wateraid", "percent": 60}, {"cause": "wwf", "percent": 40}]


def test_a_number_that_moved_belongs_to_each_owner_in_its_time():
    row_set = IdentifierRows()
    row_set.rows["447700900001"] = [
        IdentifierPeriod("msisdn", "447700900001", 1, 10, 20),
        IdentifierPeriod("msisdn", "447700900001", 2, 30, None),
    ]
    owners = [row_set.owner("msisdn", "447700900001", at) for at in (5, 10, 19, 20, 29, 30, 99)]
    assert owners == [1, 1, 1, None, None, 2, 2]


@pytest.mark.parametrize(
    ("iccid", "why"),
    [
        ("8944100000000000000", "as if a spreadsheet had rounded it"),
        ("8944123456789010000", "as if a spreadsheet had rounded it"),
        ("8.9441E+18", "was rounded by a spreadsheet"),
        ("8944100000000000017", "check digit that does not fit"),
        ("894410000000000001", "has no check digit"),
    ],
)
def test_an_iccid_that_was_rounded_or_mistyped_is_refused_in_a_file_unless_its_check_is_left_out(iccid, why):
    with pytest.raises(RowInvalid, match=why):
        read_row(ROW | {"iccid": iccid}, PLANS, CAUSES, check_iccid=True)
    if iccid.isdigit():
        assert read_row(ROW | {"iccid": iccid}, PLANS, CAUSES).iccid == iccid
    assert read_row(ROW | {"iccid": "8944100000000000018"}, PLANS, CAUSES, check_iccid=True)
