"""Gift Aid: what HMRC's schedule takes, and which gifts a declaration covers."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from support.charging_fixture import MSISDN, PENNY
from support.lane_fixture import CAUSE_SEALS
from support.messaging_fixture import text_place

from gateway.balance.changes import SubscriberUnknown
from gateway.balance.gift_aid import CancelGiftAid, DeclareGiftAid, covered, declarations_of
from gateway.balance.gift_units import MakeGift
from gateway.charity.gift_aid import COLUMNS, DeclarationInvalid, Donation, Person, checked, schedule
from gateway.store import tables

POUND = 100 * PENNY
ADA = Person("Ms", "Ada", "King-Noel", "12", "S19 2BD")
LONDON = ZoneInfo("Europe/London")


@pytest.fixture
def place(tmp_path):
    with text_place(f"sqlite:///{tmp_path}/aid.db") as opened:
        opened.giver = opened.enrol(200 * POUND)
        yield opened
        assert opened.books_are_right()


def declare(place, cause="wateraid", person=ADA, covers_from=0, line=MSISDN):
    said = ("form", "hmrc-2026", "clerk")
    return place.lane.run(DeclareGiftAid("msisdn", line, cause, person, covers_from, *said))


def give(place, pounds, cause="wateraid", reference="r"):
    return place.lane.run(MakeGift("msisdn", MSISDN, cause, pounds * POUND, "GBP", "app", reference)).gift


def claimed(place, cause="wateraid", period="2023-11"):
    with place.reader.connect() as connection:
        found = covered(connection, cause, period, LONDON, CAUSE_SEALS)
        return [(each.person.last_name, each.amount) for each in found]


def test_a_schedule_has_hmrcs_columns_days_and_names():
    rows = schedule([Donation(ADA, date(2026, 11, 5), "5.00"), Donation(ADA, date(2026, 1, 31), "0.50")])
    assert len(COLUMNS) == len(rows[0])
    assert rows == [("Ms", "Ada", "King Noel", "12", "S19 2BD", "", "", "31/01/26", "0.50"),
                    ("Ms", "Ada", "King Noel", "12", "S19 2BD", "", "", "05/11/26", "5.00")]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"title": "Prince"}, "title"), ({"first_name": " "}, "first_name"), ({"last_name": "x" * 36}, "last_name"),
     ({"postcode": "S192BD"}, "postcode"), ({"postcode": ""}, "postcode"), ({"house": "1\x00"}, "house")],
)  # fmt: skip
def test_what_no_charity_could_claim_by_is_refused_without_the_persons_words(changes, said):
    given = {name: getattr(ADA, name) for name in ADA.__struct_fields__} | changes
    with pytest.raises(DeclarationInvalid, match=said) as refused:
        checked(Person(**given))
    assert "Ada" not in str(refused.value)


def test_a_postcode_is_put_into_capitals_and_a_home_abroad_has_an_x():
    assert checked(Person("", "a", "b", "1", " s19  2bd ")).postcode == "S19 2BD"
    assert checked(Person("", "a", "b", "1", "x")).postcode == "X"


def test_a_declaration_covers_gifts_to_its_cause_while_it_is_in_force_and_nothing_else(place):
    give(place, 1, reference="before")
    declare(place)
    give(place, 2, reference="covered")
    give(place, 3, cause="wwf", reference="to another")
    place.lane.run(CancelGiftAid("msisdn", MSISDN, "wateraid"))
    give(place, 4, reference="after")
    assert claimed(place) == [("King-Noel", "2.00")]
    assert claimed(place, cause="wwf") == claimed(place, period="2023-12") == []


def test_gifts_of_before_are_covered_where_the_declaration_says_so_and_one_replaces_another(place):
    give(place, 1)
    declare(place)
    declare(place, person=Person("", "Ada", "Byron", "12", "S19 2BD"), covers_from=1)
    assert claimed(place) == [("Byron", "1.00")]
    with place.reader.connect() as connection:
        latest, first = declarations_of(connection, place.giver, CAUSE_SEALS)
    assert (latest.cancelled_at, first.cancelled_at is None) == (None, False)


def test_a_gift_that_is_held_or_was_taken_back_is_on_no_schedule(place):
    place.gifts_by(window=3_600_000_000)
    declare(place)
    give(place, 2)
    assert claimed(place) == []


def test_name_address_and_cause_are_sealed_and_of_one_length(place):
    declare(place)
    declare(place, cause="wwf", person=Person("", "A", "B", "1", "X"))
    rows = place.read(select(tables.gift_aid_declarations.c.details))
    assert len({len(row.details) for row in rows}) == 1
    for word in (b"Ada", b"King", b"S19", b"wateraid"):
        assert not any(word in row.details for row in rows)
    with place.reader.connect() as connection:
        assert {each.details for each in declarations_of(connection, place.giver, None)} == {None}


def test_a_number_of_nobody_declares_nothing(place):
    assert isinstance(declare(place, line="447700900999"), SubscriberUnknown)


def test_a_gift_has_the_day_of_the_operators_clock(place):
    declare(place)
    give(place, 2)
    with place.reader.connect() as connection:
        (found,) = covered(connection, "wateraid", "2023-11", LONDON, CAUSE_SEALS)
    assert found.day == datetime.fromtimestamp(place.ticks.now / 1_000_000, LONDON).date()
