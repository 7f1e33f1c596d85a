"""A gateway that restarts under a command."""

import pytest
from support.scripted_gateway import Refuse, scripted, write_config

from gateway.cli.client import ActionRefused, DaemonUnreachable, JsonObject
from gateway.cli.errors import ExitCode
from gateway.cli.retrying_client import RetryingClient
from gateway.settings import load


@pytest.fixture
def settings(tmp_path):
    return load(write_config(tmp_path))


class Clock:
    """Time that only sleeping moves."""

    def __init__(self, then=lambda: None):
        self.now, self._then = 0.0, then

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self._then()


def patient(settings, clock):
    return RetryingClient(settings, "ask again", clock=clock, sleep=clock.sleep)


def test_a_gateway_that_was_never_there_is_not_waited_for(settings):
    clock = Clock()
    with pytest.raises(DaemonUnreachable, match="is not running"):
        patient(settings, clock)("order.show", {}, JsonObject)
    assert clock.now == 0


def test_one_that_goes_away_is_waited_for_a_minute_and_then_given_up(settings, tmp_path, capsys):
    clock = Clock()
    ask = patient(settings, clock)
    with scripted(tmp_path, order__show={"id": "1"}):
        ask("order.show", {}, JsonObject)
    with pytest.raises(DaemonUnreachable) as lost:
        ask("order.show", {}, JsonObject)
    assert (60 < clock.now <= 62, lost.value.to_do) == (True, "ask again")
    assert lost.value.exit_code == ExitCode.UNREACHABLE
    assert capsys.readouterr().err.count("waiting for it") == 1


def test_one_that_comes_back_answers(settings, tmp_path, capsys):
    busy = Refuse(503, "store.closed", "the gateway is stopping")
    with scripted(tmp_path, order__show=[{"n": 1}, busy, busy, {"n": 2}]) as script:
        ask = patient(settings, Clock())
        assert [ask("order.show", {"id": "1"}, JsonObject)["n"] for _ in range(2)] == [1, 2]
    assert len(script.asked) == 4
    assert "the gateway is back" in capsys.readouterr().err


def test_a_refusal_is_passed_on_at_once(settings, tmp_path):
    with scripted(tmp_path, order__show=[{}, Refuse(404, "order.unknown", "none")]) as script:
        ask = patient(settings, Clock())
        ask("order.show", {}, JsonObject)
        with pytest.raises(ActionRefused):
            ask("order.show", {}, JsonObject)
    assert len(script.asked) == 2
