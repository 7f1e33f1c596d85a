"""Whatever happens to the requests of a session, in the end each report was charged once, at the price of the total."""

import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.charging_fixture import service
from support.session_play import DAY_US, SESSIONS, Play, blank_store, folder

from protocols.diameter.messages import UsedServiceUnit

HOUR_US = DAY_US // 24
FATES = (
    "answered",
    "answer lost",
    "rolled back",
    "committed, nobody knows",
    "power cut before the commit",
    "power cut before the answer",
)
OCTETS = st.one_of(st.integers(0, 100), st.integers(0, 20_000_000), st.sampled_from([0, 1, 50, 150, 1_000_000]))
SECONDS = st.one_of(st.integers(0, 200), st.sampled_from([0, 1, 59, 60, 61]))
OPENINGS = st.one_of(st.integers(0, 300_000), st.integers(7_000_000, 9_000_000), st.just(100_000_000))


@st.composite
def requests(draw):
    """A session and what its next request says: type, and services with their reports."""
    session = draw(st.integers(0, len(SESSIONS) - 1))
    voice = SESSIONS[session][2] == "voice"
    services = []
    for rating_group in draw(st.lists(st.sampled_from([None, 10, 200]), max_size=3, unique=True)):
        amounts = draw(st.lists(SECONDS if voice else OCTETS, max_size=3))
        used = [UsedServiceUnit(cc_time=amount) if voice else amount for amount in amounts]
        ask = draw(st.sampled_from([None, 0, 0]))
        services.append(service(rating_group, used, ask))
    return session, draw(st.sampled_from([1, 2, 2, 2, 2, 3])), tuple(services)


STEPS = st.one_of(
    st.tuples(st.just("say"), requests(), st.sampled_from(FATES)),
    st.tuples(st.just("say"), requests(), st.just("answered")),
    st.tuples(st.just("say together"), st.lists(requests(), min_size=2, max_size=6), st.booleans()),
    st.tuples(st.just("say again"), st.integers(0, 1000)),
    st.tuples(st.just("let pass"), st.sampled_from([HOUR_US, 3 * HOUR_US, 31 * DAY_US])),
    st.tuples(st.just("reopen")),
)


@pytest.fixture(scope="module")
def row_set():
    with folder() as path:
        blank_store(path / "blank.db")
        yield path


def run(play, step):
    match step:
        case "say", request, fate:
            play.say(play.request(*request), fate)
        case "say together", several, twice:
            messages = [play.request(*request) for request in several]
            play.say_together(messages * 2 if twice else messages)
        case "say again", place:
            play.say_again(place)
        case "let pass", microseconds:
            play.let_pass(microseconds)
        case ("reopen",):
            play.reopen()


@given(openings=st.tuples(OPENINGS, OPENINGS), steps=st.lists(STEPS, min_size=1, max_size=12))
def test_whatever_befalls_a_session_its_charges_add_up_to_the_price_of_its_total(row_set, openings, steps):
    for leftover in row_set.glob("play.db*"):
        leftover.unlink()
    shutil.copy(row_set / "blank.db", row_set / "play.db")
    play = Play(row_set / "play.db", openings)
    try:
        for step in steps:
            run(play, step)
        play.finish()
        play.reckon()
    finally:
        play.place.close()
