"""Half-open connections: how many there may be, and which one makes room."""

from hypothesis import given
from hypothesis import strategies as st

from protocols.half_open import HalfOpen


def a_table(limit, per_address):
    evicted = []
    return HalfOpen(limit, per_address, evicted.append), evicted


def test_one_address_pushes_out_its_own_oldest():
    table, evicted = a_table(8, 2)
    for name, address in (("other", "::1"), ("a", "127.0.0.1"), ("b", "127.0.0.1"), ("c", "127.0.0.1")):
        table.add(name, address)
    assert evicted == ["a"]
    assert [name in table for name in ("other", "a", "b", "c")] == [True, False, True, True]


def test_beyond_the_limit_the_oldest_of_all_goes():
    table, evicted = a_table(3, 3)
    for number in range(5):
        table.add(number, f"192.0.2.{number}")
    assert (evicted, len(table)) == ([0, 1], 3)


def test_who_has_shown_who_it_is_makes_room_and_may_be_discarded_twice():
    table, evicted = a_table(1, 1)
    table.add("bound", "192.0.2.1")
    table.discard("bound")
    table.discard("bound")
    table.add("next", "192.0.2.1")
    assert (evicted, len(table)) == ([], 1)


def test_an_eviction_that_discards_meanwhile_is_counted_once():
    def evict(name):
        table.discard(name)

    table = HalfOpen(2, 2, evict)
    for number in range(9):
        table.add(number, "192.0.2.1")
    assert len(table) == 2


def test_a_connection_is_still_half_open_while_it_is_evicted():
    seen = []
    table = HalfOpen(1, 1, lambda name: seen.append(name in table))
    table.add("first", "192.0.2.1")
    table.add("second", "192.0.2.1")
    assert seen == [True]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40), st.sampled_from("abc")), max_size=200))
def test_neither_limit_is_ever_passed_and_no_address_is_remembered(steps):
    table, _ = a_table(5, 3)
    addresses = {}
    for adds, number, address in steps:
        if adds and number not in table:
            table.add(number, address)
            addresses[number] = address
        elif not adds:
            table.discard(number)
        here = [addresses[other] for other in addresses if other in table]
        assert len(table) == len(here) <= 5
        assert all(here.count(other) <= 3 for other in "abc")
    for number in addresses:
        table.discard(number)
    assert (len(table), len(table._addresses)) == (0, 0)
