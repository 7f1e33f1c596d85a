"""The key of a rate, kept with the usage, gives the rate again."""

import pytest

from gateway.rating.plans import FREE, CalledRates, Plan, Rate, Zone
from gateway.rating.rate_keys import EMERGENCY, INCOMING, PLAIN, TOLL_FREE, RateKey, rate_by, read_key

CHEAP, DEAR, NIGHT, ABROAD, HOME = (
    Rate(1, 60),
    Rate(9, 60),
    Rate(2, 60),
    Rate(7, 60),
    Rate(3, 60, at={"night": Rate(2, 60)}),
)
PLAN = Plan(
    "p", "", "GBP", CHEAP, HOME, CHEAP, {200: FREE}, incoming_voice=CHEAP,
    destinations={"449": CalledRates(voice=DEAR)},
    home=("234",), zones=(Zone("usa", ("310",), ABROAD, ABROAD, ABROAD, incoming_voice=CHEAP),),
)  # fmt: skip


@pytest.mark.parametrize(
    ("key", "text", "rate"),
    [
        (PLAIN, "", HOME),
        (RateKey(period="night"), "///night", NIGHT),
        (RateKey(destination="449"), "//449/", DEAR),
        (RateKey(zone="usa"), "/usa//", ABROAD),
        (RateKey(INCOMING, "usa"), "in/usa//", CHEAP),
        (RateKey(TOLL_FREE), "free///", FREE),
        (RateKey(TOLL_FREE, "usa"), "free/usa//", ABROAD),
        (RateKey(EMERGENCY, "usa"), "sos/usa//", FREE),
        (RateKey(zone="moon"), "/moon//", None),
        (RateKey(destination="5"), "//5/", None),
        (RateKey(period="day"), "///day", None),
    ],
)
def test_a_key_is_written_read_and_leads_to_its_rate(key, text, rate):
    assert str(key) == text
    assert read_key(text) == key
    assert rate_by(PLAN, "voice", None, key) == rate


def test_a_rating_group_is_beside_the_key():
    assert [rate_by(PLAN, "data", group, PLAIN) for group in (None, 100, 200)] == [CHEAP, CHEAP, FREE]


def test_what_is_no_key_is_refused():
    with pytest.raises(ValueError, match="no key of a rate"):
        read_key("a/b")
