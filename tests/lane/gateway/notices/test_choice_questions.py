"""A closed cause that nobody succeeds: its customers are asked once each, by texts that do not say whose cause it was."""

from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from support.lane_fixture import CAUSE_SEALS
from support.notice_fixture import BY_DAY, watched_place

from gateway.balance.changes import ChooseCauses
from gateway.charity.choices import Share
from gateway.charity.closed_causes import DAY_US, KeepClosed, asked_out, asked_up_to, askings, choosers
from gateway.notices.choice_questions import AskChoosers
from gateway.notices.quiet_hours import QuietHours
from gateway.store import tables

LINES = [(f"2341500000000{n:02d}", f"4477009000{n:02d}") for n in range(10, 15)]
ALWAYS_QUIET = QuietHours(0, 24 * 60 - 1, ZoneInfo("UTC"))


@pytest.fixture(params=[BY_DAY])
def place(tmp_path, request):
    with watched_place(f"sqlite:///{tmp_path}/lines.db", quiet=request.param) as opened:
        opened.owners = [
            opened.enrol(0, imsi, number, cause="wwf" if n < 3 else "wateraid")
            for n, (imsi, number) in enumerate(LINES)
        ]
        opened.lane.run(ChooseCauses("msisdn", LINES[3][1], (Share("wwf", 2_000), Share("wateraid", 8_000))))
        opened.lane.run(ChooseCauses("msisdn", LINES[0][1], (Share("wateraid", 10_000),)))
        yield opened


def page(place, after=0, most=100):
    with place.reader.connect() as connection:
        return choosers(connection, CAUSE_SEALS, "wwf", place.node.id, after, next(place.ticks), most)


def ask(place, after, found):
    return place.lane.run(AskChoosers("wwf", place.node.id, after, found.last, found.subscribers, "2026-12-30"))


def look(place, what, *args):
    with place.reader.connect() as connection:
        return what(connection, *args)


def asked(place):
    """To whom texts went, and with which words."""
    return [tuple(row) for row in place.read(select(tables.texts.c.destination, tables.texts.c.body))]


def test_who_has_the_cause_now_is_asked_once_and_a_kill_between_two_goes_forgets_and_doubles_nobody(place):
    place.lane.run(KeepClosed(["wwf"]))
    first = page(place, most=2)
    assert (first.subscribers, first.last) == (place.owners[1:3], place.owners[2])
    assert len(ask(place, 0, first).texts) == 2
    assert ask(place, 0, first).texts == [], "whoever was killed before the answer asks again"
    after = look(place, asked_up_to, "wwf", place.node.id)
    rest = page(place, after)
    assert (after, rest.subscribers, rest.last) == (place.owners[2], [place.owners[3]], None)
    ask(place, after, rest)
    assert look(place, asked_up_to, "wwf", place.node.id) is None
    assert [number for number, _ in asked(place)] == [number for _, number in LINES[1:4]]
    words = {body for _, body in asked(place)}
    assert words == {
        (
            "TPO: your choice of a cause needs your answer by 30 December 2026. Text CAUSE for the list. "
            "What you gave so far is kept."
        )
    }
    assert place.notices() == [], "no row says who was asked"


def test_the_time_to_choose_begins_when_all_were_asked_and_is_over_after_so_many_days(place):
    place.lane.run(KeepClosed(["wwf"]))
    assert look(place, askings)["wwf"].asked_at is None
    ask(place, 0, page(place))
    asking = look(place, askings)["wwf"]
    ends = asking.ends_at(30)
    assert ends == asking.asked_at + 30 * DAY_US
    assert [look(place, asked_out, 30, at) for at in (ends - 1, ends)] == [frozenset(), {"wwf"}]
    place.lane.run(KeepClosed(["wwf"]))
    assert look(place, asked_up_to, "wwf", place.node.id) is None, "who was asked is not asked again"
    place.lane.run(KeepClosed([]))
    assert (look(place, askings), ask(place, 0, page(place)).texts) == ({}, []), "it is open again, or has a successor"


@pytest.mark.parametrize("place", [ALWAYS_QUIET], indirect=True)
def test_nobody_is_asked_in_quiet_hours_and_the_mark_stays(place):
    place.lane.run(KeepClosed(["wwf"]))
    told = ask(place, 0, page(place))
    assert (told.waits, asked(place), look(place, asked_up_to, "wwf", place.node.id)) == (True, [], 0)
