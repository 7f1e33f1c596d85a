"""The tree of a day's rows: places that are a permutation, ways that lead to the root, subtrees that stand for all leaves."""

import hashlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.billing.packs import verify
from gateway.ledger import row_tree
from gateway.ledger.row_tree import HASH, Leaves, Numbers, Shuffle, beside, height_of, joined, levels_of, root_of


def leaf(number):
    return hashlib.sha256(b"%d" % number).digest()


@given(st.binary(min_size=1, max_size=32), st.integers(1, 3000))
def test_places_are_a_permutation_and_lead_back(key, width):
    shuffle = Shuffle(key, width)
    places = [shuffle.place_of(index) for index in range(width)]
    assert sorted(places) == list(range(width))
    assert [shuffle.at(place) for place in places] == list(range(width))


def test_places_of_neighbours_have_no_distance_in_common_and_another_key_gives_others():
    one, other = Shuffle(b"a", 5000), Shuffle(b"b", 5000)
    places = [one.place_of(index) for index in range(5000)]
    assert len({(after - before) % 5000 for before, after in itertools.pairwise(places)}) > 2500
    assert sum(one.place_of(index) == other.place_of(index) for index in range(5000)) < 20


@given(st.integers(1, 200), st.data())
def test_each_way_leads_to_the_root_that_the_verifier_finds_and_no_other_place_or_branch_does(width, data):
    levels = levels_of([leaf(number) for number in range(width)])
    place = data.draw(st.integers(0, width - 1))
    path, root = beside(levels, place), levels[-1][0]
    assert verify.climb(leaf(place), place, width, path, joined) == root
    assert verify.climb(leaf(width), place, width, path, joined) != root
    if path:
        wrong = [*path]
        wrong[data.draw(st.integers(0, len(path) - 1))] = leaf(-1)
        assert verify.climb(leaf(place), place, width, wrong, joined) != root
        assert verify.climb(leaf(place), place ^ 1, width, path, joined) != root
        assert verify.climb(leaf(place), place + width, width, path, joined) is None
    assert verify.climb(leaf(place), place, width, [*path, leaf(-1)], joined) is None


@settings(max_examples=30)
@given(st.integers(1, 3000))
def test_subtrees_that_are_kept_lead_to_the_root_of_all_leaves(width):
    leaves = Leaves(width)
    for number in reversed(range(width)):
        leaves.put(number, leaf(number))
    roots, whole = leaves.roots(), levels_of([leaf(number) for number in range(width)])
    assert len(roots) == HASH * -(-width // (1 << height_of(width)))
    assert root_of(width, roots) == hashlib.sha256(b"\4" + width.to_bytes(8, "big") + whole[-1][0]).digest()


def test_a_large_day_is_made_in_a_file_and_comes_to_the_same(monkeypatch):
    found = []
    for room in (1 << 25, 0):
        monkeypatch.setattr(row_tree, "IN_MEMORY", room)
        leaves = Leaves(1000)
        for number in range(1000):
            leaves.put(number, leaf(number))
        found.append(leaves.roots())
    assert found[0] == found[1]


@pytest.mark.parametrize(("width", "height"), [(1, 8), (1 << 24, 8), ((1 << 24) + 1, 9), (1 << 26, 10)])
def test_of_a_large_day_higher_subtrees_are_kept_so_that_there_are_never_more_than_65536(width, height):
    assert height_of(width) == height
    assert -(-width // (1 << height)) <= 1 << row_tree.MOST_ROOTS


def test_numbers_have_places_in_ranges_and_others_have_none():
    numbers = Numbers([(10, 12), (20, 20), (30, 34)])
    known = [10, 11, 12, 20, 30, 31, 32, 33, 34]
    assert [numbers.place_of(number) for number in known] == list(range(numbers.width))
    assert [numbers.at(place) for place in range(numbers.width)] == known
    assert {numbers.place_of(number) for number in (0, 9, 13, 19, 21, 29, 35)} == {None}
