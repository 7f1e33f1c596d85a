"""Parameters by their kinds: nothing is converted, and what is of another kind is refused by its name."""

import pytest

from gateway.api import parameters
from gateway.api.problems import Problem


@pytest.mark.parametrize("value", [True, False, 1.0, 1.5, "1", "", [], {}, -1, 11, 2**63])
def test_a_whole_number_is_an_int_of_its_range_and_nothing_that_turns_into_one(value):
    with pytest.raises(Problem, match="n: give a whole number from 0 to 10"):
        parameters.whole({"n": value}, "n", 5, 10)


def test_what_is_not_given_is_the_default():
    assert [parameters.whole(given, "n", 5, 10) for given in ({}, {"n": None}, {"n": 0}, {"n": 10})] == [5, 5, 0, 10]
    assert [parameters.limit({"limit": n}, 20, 50) for n in (None, 0, 1, 50, 51, 2**62)] == [20, 20, 1, 50, 50, 50]
    assert parameters.text_or_none({"t": ""}, "t") is parameters.text_or_none({}, "t") is None
    assert parameters.choice({}, "c", ["a"]) is None
    assert parameters.flag({}, "f") is False


@pytest.mark.parametrize("value", [1, True, [], {}, "x" * 256])
def test_a_text_is_a_text_of_a_size(value):
    for read in (parameters.text, parameters.text_or_none):
        with pytest.raises(Problem, match="t: give a text of 1 to 255 characters"):
            read({"t": value}, "t")


@pytest.mark.parametrize("value", [1, 0, "true", "", [], {}])
def test_a_flag_is_true_or_false(value):
    with pytest.raises(Problem, match="f: give true or false"):
        parameters.flag({"f": value}, "f")


@pytest.mark.parametrize("value", [1, True, [], {}, "b", ""])
def test_a_choice_is_one_of_its_words(value):
    with pytest.raises(Problem, match="c: give one of a, z"):
        parameters.choice({"c": value}, "c", ["a", "z"])
