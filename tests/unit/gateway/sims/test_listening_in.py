"""Listening in on all hosts of the conductor, also on those that come by a reload."""

import asyncio
from types import SimpleNamespace

from gateway.sims.host_runtime import HostRuntime
from gateway.sims.order_executor import OrderExecutor


class WatchedHost:
    """A host that keeps who listens."""

    def __init__(self):
        self.taps = []

    def set_tap(self, tap):
        self.taps.append(tap)

    async def close(self):
        self.taps.append("closed")


def desk():
    return HostRuntime(WatchedHost(), asyncio.Semaphore(1), 1.0, 1.0)


def executor(desks):
    return OrderExecutor(
        SimpleNamespace(),
        desks,
        notice=0.0,
        reauthorise=None,
        abort=None,
        enqueue=None,
        alarm=None,
    )


def tap(_captured):
    raise AssertionError("nothing is said here")


async def test_every_host_is_given_the_tap_and_is_rid_of_it():
    desks = {"one": desk(), "two": desk()}
    found = executor(desks)
    found.set_tap(tap)
    found.set_tap(None)
    assert [each.host.taps for each in desks.values()] == [[tap, None], [tap, None]]


async def test_a_host_that_comes_by_a_reload_is_listened_to_and_one_that_goes_no_more():
    old, stays, new = desk(), desk(), desk()
    found = executor({"old": old, "stays": stays})
    found.set_tap(tap)
    found.apply_settings({"stays": stays, "new": new}, notice=0.0)
    await found.stop()
    assert (old.host.taps, new.host.taps[:1]) == ([tap, None, "closed"], [tap])
    assert stays.host.taps[:2] == [tap, tap]


async def test_a_reload_with_nobody_listening_asks_nothing_of_hosts():
    new = desk()
    found = executor({})
    found.apply_settings({"new": new}, notice=0.0)
    assert new.host.taps == []
