"""What a month would be billed: it is what its close comes to, whichever months are closed before it."""

from datetime import UTC

import pytest
from support.billing_fixture import billing_place

from gateway.billing.closing import ReopenMonth
from gateway.billing.preview import AlreadyClosed, preview
from gateway.charity.months import begin_of, end_of, following


@pytest.fixture
def place(tmp_path):
    with billing_place(f"sqlite:///{tmp_path}/tpo.db") as place:
        place.enrol(50_000_000)
        yield place


def previewed(place, period):
    with place.reading() as connection:
        return preview(connection, period, begin_of(period, UTC), end_of(period, UTC))


def used(found):
    """What a preview has of usage, in pennies."""
    return sum(amount for (section, _, _), (_, amount) in found.sums.items() if section == "usage") // -10_000


def months(place, *megabytes):
    """Use so much in one month after the other; gives the months."""
    found = []
    for number, each in enumerate(megabytes):
        place.use(each * 1_000_000, f"p;{number}")
        found.append(place.pass_month())
    return found


def test_a_month_whose_turn_it_is_not_yet_is_previewed_without_those_before_it(place):
    first, second, third = months(place, 1, 2, 4)
    place.close_month(first)
    assert (used(previewed(place, second)), previewed(place, second).closed_first) == (2, "")
    ahead = previewed(place, third)
    assert (used(ahead), ahead.closed_first, ahead.has_earlier) == (4, second, False)
    place.close_month(second)
    assert (used(previewed(place, third)), previewed(place, third).closed_first) == (4, "")
    with pytest.raises(AlreadyClosed):
        previewed(place, second)


def test_the_first_month_of_all_has_what_was_before_it_and_says_so(place):
    first, second = months(place, 1, 2)
    assert (used(previewed(place, first)), previewed(place, first).has_earlier) == (1, False)
    found = previewed(place, second)
    assert (used(found), found.closed_first, found.has_earlier) == (3, "", True)
    place.close_month(second)
    assert -place.content(1).of("usage") // 10_000 == 3


def test_what_came_late_is_on_the_next_bill_and_on_that_of_a_month_that_was_reopened(place):
    (first,) = months(place, 1)
    place.close_month(first)
    place.use(2_000_000, "late", at=place.ticks.now // 1_000_000 - 3_600)
    place.use(4_000_000, "now")
    second = following(first)
    assert used(previewed(place, second)) == 6
    place.lane.run(ReopenMonth(first, "ann", "a late file"))
    place.lane.run(ReopenMonth(first, "bob", confirm=True))
    assert (used(previewed(place, first)), previewed(place, first).closed_first) == (2, "")
    assert (used(previewed(place, second)), previewed(place, second).closed_first) == (4, first)
