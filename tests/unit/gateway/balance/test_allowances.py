"""Use is covered by the allowance that ends soonest of those that count there; splits lose and invent no unit."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.balance.allowances import HOME, Allowance, Place, covered, give_back, hold, promised

FAR = 10**9


def allowance(number, left, ends_at=FAR, **more):
    return Allowance("p", ends_at, {"data": left}, id=number, **more)


def split(parts):
    return [(part.allowance.id, part.units) for part in parts]


def test_the_one_that_ends_soonest_goes_first_then_the_next_and_the_rest_is_paid():
    held = [allowance(1, 10, FAR), allowance(2, 3, FAR - 1), allowance(3, 5, 0)]
    assert split(covered(held, "data", 20, 0, HOME)) == [(2, 3), (1, 10)]
    assert [each.left["data"] for each in held] == [0, 0, 5]


def test_of_two_that_end_together_the_one_that_was_there_first_goes_first():
    assert split(covered([allowance(2, 9), allowance(1, 4)], "data", 6, 0, HOME)) == [(1, 4), (2, 2)]


def test_an_allowance_counts_in_its_zones_alone_and_one_without_where_the_price_says_so():
    held = [allowance(1, 5, FAR - 1, zones=("europe",)), allowance(2, 5)]
    assert split(covered(held, "data", 2, 0, HOME)) == [(2, 2)]
    assert split(covered(held, "data", 7, 0, Place("europe", in_bundle=False))) == [(1, 5)]
    assert split(covered(held, "data", 7, 0, Place("europe"))) == [(2, 3)]
    assert covered(held, "data", 1, 0, Place("europe", in_bundle=False, apart=True)) == []


def test_what_two_sessions_are_promised_of_fair_use_is_there_for_both():
    held, europe = [allowance(1, 100, fair_use={"europe": 30})], Place("europe")
    for wanted, found in ((20, [(1, 20)]), (20, [(1, 10)]), (20, [])):
        parts = promised(held, "data", wanted, 0, europe)
        assert split(parts) == found
        hold(parts, "data")
    assert [split(covered(held, "data", used, 0, europe)) for used in (20, 10)] == [[(1, 20)], [(1, 10)]]


def test_fair_use_ends_what_an_allowance_covers_in_a_zone_and_not_elsewhere():
    held = [allowance(1, 100, fair_use={"europe": 30})]
    assert split(promised(held, "data", 50, 0, Place("europe"))) == [(1, 30)]
    assert split(covered(held, "data", 25, 0, Place("europe"))) == [(1, 25)]
    assert split(covered(held, "data", 25, 0, Place("europe"))) == [(1, 5)]
    assert split(covered(held, "data", 25, 0, HOME)) == [(1, 25)]


units = st.integers(0, 1000)
allowances = st.lists(st.tuples(units, st.integers(1, 50), st.sampled_from([(), ("europe",)])), max_size=5)


@given(held=allowances, used=st.lists(st.tuples(units, st.integers(0, 60), st.booleans()), max_size=10))
def test_allowance_and_money_add_up_to_what_was_used_and_nothing_is_below_zero(held, used):
    held = [allowance(number, left, ends, zones=zones) for number, (left, ends, zones) in enumerate(held)]
    before = sum(each.left["data"] for each in held)
    taken = 0
    for quantity, time, abroad in used:
        parts = covered(held, "data", quantity, time, Place("europe" if abroad else ""))
        assert sum(part.units for part in parts) <= quantity
        assert all(part.units > 0 and time < part.allowance.ends_at for part in parts)
        taken += sum(part.units for part in parts)
    assert sum(each.left["data"] for each in held) == before - taken
    assert all(each.left["data"] >= 0 for each in held)


@given(held=allowances, wanted=st.lists(units, max_size=6))
def test_what_is_promised_is_there_and_given_back_whole(held, wanted):
    held = [allowance(number, left, ends, zones=zones) for number, (left, ends, zones) in enumerate(held)]
    promises = [hold(promised(held, "data", each, 0, HOME), "data") for each in wanted]
    assert all(each.held.get("data", 0) <= each.left["data"] for each in held)
    for each in promises:
        assert sum(part.units for part in give_back(held, "data", each)) == sum(number for _, number in each)
    assert not any(any(each.held.values()) for each in held)
