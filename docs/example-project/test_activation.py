"""What the shop's own tests look like: its code, and a host network that fails when it is told to."""

import pytest
from activation import activate

from simulators.background import BackgroundHostApi

CARD, NUMBER = "8944110000000000018", "447700900001"


def test_a_line_is_activated(simulated_host_api: BackgroundHostApi) -> None:
    """One call, one service."""
    service = activate(simulated_host_api.url, CARD, NUMBER, "order-1")
    assert simulated_host_api.services()[service]["state"] == "active"


@pytest.mark.parametrize("fault", ["error-before", "error-after", "timeout-after", "dropped"])
def test_a_host_that_fails_once_activates_once(simulated_host_api: BackgroundHostApi, fault: str) -> None:
    """Whether the host failed before it acted or after: the line is there once."""
    simulated_host_api.next_changes(fault)
    activate(simulated_host_api.url, CARD, NUMBER, "order-1")
    assert simulated_host_api.effects() == {"order-1": 1}
