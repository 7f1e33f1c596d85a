"""What a batch expects to need: as units named it before, and only where that is known of all of them."""

from gateway.store.batch import Unit
from gateway.store.expected_keys import ExpectedKeys


class Asks(Unit):
    number: str | None

    def lead(self):
        return self.number

    def decide(self, batch):
        raise NotImplementedError


class LedByNothing(Unit):
    def decide(self, batch):
        raise NotImplementedError


def test_what_units_named_before_is_expected_of_them_again():
    expected = ExpectedKeys()
    expected.learn([Asks("1"), Asks("2")], [(7,), (8, 9)])
    assert expected.of([Asks("1"), Asks("1"), Asks("2")]) == {7, 8, 9}
    assert expected.of([Asks("1")]) == {7}


def test_the_latest_counts():
    expected = ExpectedKeys()
    expected.learn([Asks("1")], [(7,)])
    expected.learn([Asks("1")], [(8,)])
    assert expected.of([Asks("1")]) == {8}


def test_nothing_is_expected_where_one_unit_is_new_or_nothing_leads_to_its_keys():
    expected = ExpectedKeys()
    expected.learn([Asks("1"), LedByNothing(), Asks(None)], [(7,), (8,), (9,)])
    for other in (Asks("2"), Asks(None), LedByNothing()):
        assert expected.of([Asks("1"), other]) == set()


def test_a_unit_that_named_nothing_is_known_and_expects_nothing():
    expected = ExpectedKeys()
    expected.learn([Asks("1"), Asks("2")], [(), (8,)])
    assert expected.of([Asks("1"), Asks("2")]) == {8}
    assert expected.of([Asks("1")]) == set()


def test_what_was_not_used_for_long_is_forgotten():
    expected = ExpectedKeys(most=4)
    for number in range(20):
        expected.learn([Asks(str(number))], [(number,)])
    assert expected.of([Asks("19")]) == {19}
    assert expected.of([Asks("0")]) == set()
