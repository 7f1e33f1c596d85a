from types import SimpleNamespace

import pytest

from gateway.api.actions.sessions import by_others
from gateway.api.answers.sessions import SessionReply
from gateway.api.callers import OPERATOR
from gateway.api.problems import conflict
from gateway.charging.gy.reauth_abort import CommandResult, Reply, SessionCommand

SESSION = SimpleNamespace(session_id="pgw;1;1")


class Script:
    """An action that answers, or refuses, and remembers who asked for what."""

    role = OPERATOR

    def __init__(self, outcome):
        self.outcome, self.asked = outcome, []

    async def perform(self, params, caller):
        self.asked.append((params, caller))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.mark.parametrize(
    ("result", "code", "sent"), [("accepted", 2002, True), ("unknown", 5002, True), ("unreachable", None, False)]
)
async def test_what_another_gateway_says_of_a_session_counts_as_if_it_had_been_asked_here(result, code, sent):
    told = SessionReply("7", "pgw;1;1", "pgw", "ASR", result, code, None, closed=result == "unknown", node="ocs2")
    script = Script(told)
    ask = by_others({"session.abort": script}, "ocs1.tpo.example")
    assert await ask(SessionCommand.ABORT, SESSION) == Reply(
        "pgw;1;1", CommandResult(result), code, "", sent=sent, closed=result == "unknown"
    )
    ((params, caller),) = script.asked
    assert (params, caller.name, caller.role) == ({"id": "pgw;1;1"}, "gateway:ocs1.tpo.example", OPERATOR)


async def test_a_session_that_is_over_meanwhile_is_one_that_nobody_was_asked_about():
    script = Script(conflict("session.closed", "this session is over"))
    ask = by_others({"session.reauth": script}, "x" * 300)
    assert await ask(SessionCommand.REAUTHORISE, SESSION) == Reply(
        "pgw;1;1", CommandResult.UNREACHABLE, detail="this session is over", sent=False
    )
    assert len(script.asked[0][1].name) == 64
