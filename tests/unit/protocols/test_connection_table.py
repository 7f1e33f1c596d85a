"""Accepted connections: how many there may be, which half-open one makes room, and how long it may stay so."""

from hypothesis import given
from hypothesis import strategies as st

from protocols.connection_table import ConnectionTable, Eviction
from protocols.limits import ConnectionLimits

HERE, THERE = "192.0.2.1", "192.0.2.2"


def a_table(limit, per_address, **limits):
    evicted = []
    limits = ConnectionLimits(half_open=limit, half_open_per_address=per_address, **limits)
    return ConnectionTable(limits, 5.0, lambda name, eviction: evicted.append((name, eviction))), evicted


def crowded(*names):
    return [(name, Eviction.CROWDED) for name in names]


def test_one_address_pushes_out_its_own_oldest():
    table, evicted = a_table(8, 2)
    for name, address in (("other", "::1"), ("a", "127.0.0.1"), ("b", "127.0.0.1"), ("c", "127.0.0.1")):
        table.add(name, address, 0.0)
    assert evicted == crowded("a")
    assert [name in table.half_open for name in ("other", "a", "b", "c")] == [True, False, True, True]


def test_beyond_the_limit_the_oldest_of_all_goes():
    table, evicted = a_table(3, 3)
    for number in range(5):
        table.add(number, f"192.0.2.{number}", 0.0)
    assert (evicted, len(table.half_open)) == (crowded(0, 1), 3)


def test_who_has_shown_who_it_is_makes_room_and_may_be_discarded_twice():
    table, evicted = a_table(1, 1)
    table.add("bound", HERE, 0.0)
    table.leave_half_open("bound")
    table.leave_half_open("bound")
    table.add("next", HERE, 0.0)
    assert (evicted, list(table.half_open), list(table)) == ([], ["next"], ["bound", "next"])
    table.discard("bound")
    table.discard("bound")
    assert list(table) == ["next"]


def test_an_eviction_that_discards_meanwhile_is_counted_once():
    def evict(name, _eviction):
        table.discard(name)

    table = ConnectionTable(ConnectionLimits(half_open=2, half_open_per_address=2), 5.0, evict)
    for number in range(9):
        table.add(number, HERE, 0.0)
    assert (len(table.half_open), len(table)) == (2, 2)


def test_a_connection_is_still_half_open_while_it_is_evicted():
    seen = []
    limits = ConnectionLimits(half_open=1, half_open_per_address=1)
    table = ConnectionTable(limits, 5.0, lambda name, _eviction: seen.append(name in table.half_open))
    table.add("first", HERE, 0.0)
    table.add("second", HERE, 0.0)
    assert seen == [True]


def test_one_that_is_evicted_counts_until_nothing_is_left_of_it():
    table, _ = a_table(1, 1, connections_per_address=2)
    table.add("first", HERE, 0.0)
    table.add("second", HERE, 0.0)
    assert table.refusal(HERE) == "too many connections of one address"
    table.discard("first")
    assert table.refusal(HERE) == ""


def test_no_more_are_taken_than_the_limits_say_of_one_address_and_in_all():
    table, _ = a_table(9, 9, connections=3, connections_per_address=2)
    for name, address in (("a", HERE), ("b", HERE), ("c", THERE)):
        assert table.refusal(address) == ""
        table.add(name, address, 0.0)
        table.leave_half_open(name)
        assert "one address" in table.refusal(address) or name != "b"
    assert table.refusal("192.0.2.3") == "too many connections"
    table.discard("a")
    assert table.refusal(HERE) == ""


def test_who_says_nothing_in_time_is_evicted_and_tls_takes_as_long_again():
    table, evicted = a_table(9, 9)
    assert table.deadline() is None
    table.add("silent", HERE, 1.0)
    table.add("tls", HERE, 1.0, tls=True)
    table.add("bound", HERE, 1.5)
    table.leave_half_open("bound")
    assert table.deadline() == 6.0
    table.expire(5.9)
    assert evicted == []
    table.expire(6.0)
    assert (evicted, table.deadline()) == ([("silent", Eviction.LATE)], 11.0)
    table.expire(99.0)
    assert (evicted[1:], table.deadline(), list(table.half_open)) == ([("tls", Eviction.LATE)], None, [])


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40), st.sampled_from("abc")), max_size=200))
def test_neither_limit_is_ever_passed_and_no_address_is_remembered(steps):
    table, _ = a_table(5, 3)
    addresses = {}
    for adds, number, address in steps:
        if adds and number not in table:
            table.add(number, address, 0.0)
            addresses[number] = address
        elif not adds:
            table.discard(number)
        here = [addresses[other] for other in addresses if other in table.half_open]
        assert len(table.half_open) == len(here) <= 5
        assert all(here.count(other) <= 3 for other in "abc")
    for number in addresses:
        table.discard(number)
    assert (len(table), len(table.all.counts), len(table.half_open), len(table.half_open.counts)) == (0, 0, 0, 0)
    assert table.deadline() is None
