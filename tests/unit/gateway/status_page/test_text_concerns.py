"""What is said of links and texts that are not as they should be, and the page that says what to do about each."""

from pathlib import Path

import pytest

from gateway.messaging.links import LATELY, Losses
from gateway.status_page.text_concerns import LinkStanding, text_concerns
from protocols.smpp.node_events import LinkDown, LinkThrottled
from protocols.smpp.transitions import CloseReason

RUNBOOKS = Path(__file__).parents[4] / "docs" / "runbooks"
UP = LinkStanding("uk")


def said(links=(UP,), losses=None, **more):
    fine = {"stranded": 0, "waiting": 0, "doubtful": 0, "without_route": 0}
    return text_concerns(links, losses or {}, **fine | more)


@pytest.mark.parametrize(
    ("given", "what", "runbook"),
    [
        ({"doubtful": 14}, "14 texts may have been sent or not", "texts-doubtful"),
        ({"doubtful": 1}, "1 text may have been sent or not", "texts-doubtful"),
        ({"losses": {"uk": 4}}, "link uk was lost 4 times in ten minutes", "link-lost-often"),
        (
            {"links": [LinkStanding("uk", "taken down")], "stranded": 1},
            "1 part of a text waits and no link takes them: uk is taken down",
            "texts-without-link",
        ),
        (
            {"links": [UP, LinkStanding("us", "suspended")], "stranded": 3},
            "3 parts of texts wait and no link takes them: us is suspended",
            "texts-without-link",
        ),
        (
            {"links": [], "stranded": 2},
            "2 parts of texts wait and no link takes them: there is none",
            "texts-without-link",
        ),
        ({"without_route": 2}, "2 parts of texts wait and no route takes them", "texts-without-route"),
        ({"waiting": 1001}, "1,001 texts wait for a link", "text-queue-growing"),
    ],
)
def test_each_trouble_is_said_with_its_runbook(given, what, runbook):
    [concern] = said(**given)
    assert (concern.words, concern.runbook) == (what, f"docs/runbooks/{runbook}.md")
    assert (RUNBOOKS / f"{runbook}.md").is_file()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"waiting": 1000},
        {"losses": {"uk": 2}},
        {"links": []},
        {"links": [LinkStanding("uk", "taken down")]},
    ],
)
def test_what_is_well_is_not_said(given):
    assert said(**given) == []


def test_a_loss_is_remembered_for_ten_minutes_and_an_end_in_order_is_none():
    losses = Losses()
    for at, reason in enumerate((CloseReason.LOST, CloseReason.SILENT, CloseReason.STOPPED, CloseReason.LEFT)):
        losses.record(LinkDown("uk", reason, "", 0, 0), float(at))
    losses.record(LinkThrottled("uk", 0x58, 1.0), 5.0)
    assert losses.lately(5.0) == {"uk": 2}
    assert losses.lately(LATELY + 0.5) == {"uk": 1}
    assert losses.lately(LATELY + 1.0) == {}
