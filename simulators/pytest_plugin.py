"""Fixtures for anybody's tests: a simulated message centre, PGW and activation API. Loaded by `-p simulators.pytest_plugin`.

A marker of the fixture's name gives its options, which are those of `Smsc`, `Pgw` and `HostApi`:

    @pytest.mark.simulated_smsc(delivery_seconds=0.0, password="secret")
    def test_a_text_arrives(simulated_smsc): ...

Tests need not be asynchronous: the simulators run in a thread of their own (docs/simulators.md).
"""

from collections.abc import Iterator

import pytest

from simulators.background import Background, BackgroundHostApi, BackgroundPgw, BackgroundSmsc

FIXTURES = ("simulated_smsc", "simulated_pgw", "simulated_host_api")


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for name in FIXTURES:
        config.addinivalue_line("markers", f"{name}(**options): how the fixture {name} is made")


@pytest.fixture
def simulated_network() -> Iterator[Background]:
    """Run the thread that the simulators of one test live in."""
    with Background() as thread:
        yield thread


@pytest.fixture
def simulated_smsc(request: pytest.FixtureRequest, simulated_network: Background) -> BackgroundSmsc:
    """Return a message centre that listens on a free port."""
    quick = {"delivery_seconds": 0.0, "answer_seconds": 0.0}
    return BackgroundSmsc(simulated_network, **quick | _options(request, "simulated_smsc"))


@pytest.fixture
def simulated_pgw(request: pytest.FixtureRequest, simulated_network: Background) -> BackgroundPgw:
    """Return a PGW; it dials when the test calls `connect`."""
    return BackgroundPgw(simulated_network, **_options(request, "simulated_pgw"))


@pytest.fixture
def simulated_host_api(request: pytest.FixtureRequest, simulated_network: Background) -> BackgroundHostApi:
    """Return an activation API that listens on a free port."""
    return BackgroundHostApi(simulated_network, **_options(request, "simulated_host_api"))


def _options(request: pytest.FixtureRequest, name: str) -> dict[str, object]:
    marker = request.node.get_closest_marker(name)
    return {} if marker is None else dict(marker.kwargs)
