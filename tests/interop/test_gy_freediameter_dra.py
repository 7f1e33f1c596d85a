"""freeDiameter as a relay between a PGW of python-diameter's and two gateways on one PostgreSQL, one of which is killed."""

import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from decimal import ROUND_HALF_EVEN, Decimal

import pytest

pytest.importorskip("diameter", reason="python-diameter is not installed")

from support import free_diameter, postgres
from support.free_diameter import FreeDiameter
from support.gateways import Gateway, subscribers
from support.patience import PATIENCE
from support.python_diameter_pgw import INITIAL, TERMINATION, UPDATE, TheirPgw, service
from support.wiretap import Wiretap

pytestmark = [
    pytest.mark.xdist_group("gy_freediameter_dra"),
    pytest.mark.skipif(free_diameter.PROGRAM is None, reason="freeDiameterd is not installed"),
    pytest.mark.skipif(not postgres.BINARIES, reason="PostgreSQL is not installed"),
]

DESTINATION_HOST, ROUTE_RECORD, MSCC = 293, 282, 456
OCS1, OCS2 = "ocs1.tpo.example", "ocs2.tpo.example"
OTHER = {OCS1: OCS2, OCS2: OCS1}
GROUPS = (10, 100)
PRICE = Decimal("0.00000001")
"""Major units an octet of the plan payg-gb."""


class Network:
    """Two gateways, a wiretap before each, the relay before both, and the PGW before the relay."""

    def __init__(self, folder, url, stack):
        relay = "{identity: dra.core.example, realm: core.example, relay: true}"
        self.gateways = {
            name: Gateway(
                folder / name, store=url, identity=name, peers=[relay], diameter=f"  aliases: [{OTHER[name]}]"
            )
            for name in (OCS1, OCS2)
        }
        for gateway in self.gateways.values():
            stack.enter_context(gateway)
        self.taps = {
            name: stack.enter_context(Wiretap(gateway.diameter_port)) for name, gateway in self.gateways.items()
        }
        ports = {name: tap.port for name, tap in self.taps.items()}
        self.dra = stack.enter_context(FreeDiameter(folder, ports))
        self.pgw = stack.enter_context(TheirPgw(self.dra.port, server=self.dra.identity))
        self.opened = Counter({OCS1: 1, OCS2: 1})

    def reports(self, tap):
        """The credit-control requests that came to a gateway."""
        return [frame for frame in self.taps[tap].asked if frame.request and frame.code == 272]

    def granted(self, tap, requests):
        """End-to-end id -> the encoded MSCCs of a gateway's answers to these requests."""
        answers = {frame.hop_by_hop: frame for frame in self.taps[tap].answered if not frame.request}
        return {frame.end_to_end: answers[frame.hop_by_hop].avps(MSCC) for frame in requests}

    def bring_back(self, name):
        """Start a killed gateway again and wait until the relay has found it."""
        self.gateways[name].start()
        self.opened[name] += 1
        self.dra.wait_for(name, self.opened[name])


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    with postgres.server() as database, ExitStack() as stack:
        yield Network(tmp_path_factory.mktemp("network"), database("gateways"), stack)


def price(octets):
    return (octets * PRICE).quantize(Decimal("0.000001"), ROUND_HALF_EVEN)


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def lost_after_the_commit(network, victim, send):
    """The victim charges and answers, its answers are lost, and it dies."""
    tap = network.taps[victim]
    before = len(tap.answered)
    tap.lose_answers.set()
    pending = send()
    until(lambda: sum(not frame.request and frame.code == 272 for frame in tap.answered[before:]) == len(pending))
    network.gateways[victim].kill()
    tap.lose_answers.clear()
    return pending


def lost_before_it_was_read(network, victim, send):
    """The victim stands still while the requests come, and dies before it reads them."""
    before = len(network.reports(victim))
    network.gateways[victim].process.send_signal(signal.SIGSTOP)
    pending = send()
    until(lambda: len(network.reports(victim)) == before + len(pending))
    network.gateways[victim].kill()
    return pending


@pytest.mark.parametrize(
    ("victim", "die", "first"),
    [(OCS1, lost_after_the_commit, 0), (OCS2, lost_before_it_was_read, 10)],
    ids=["after-the-commit", "before-it-was-read"],
)
def test_sessions_go_on_at_the_other_gateway_and_nothing_is_charged_twice(network, victim, die, first):
    other, pgw, used = OTHER[victim], network.pgw, Counter()
    people = subscribers(4, first=first)
    network.gateways[other].enrol(people)
    sessions = {imsi: pgw.session_id() for _, imsi, *_ in people}

    def requests(request_type, number):
        for place, (imsi, session) in enumerate(sessions.items()):
            pair = (1_000_000 + number * 7 + place, 500_000)
            reported = [] if request_type == INITIAL else [pair]
            for group in GROUPS if reported else ():
                used[imsi, str(group)] += sum(pair)
            services = [service(group, reported, ask=request_type != TERMINATION) for group in GROUPS]
            yield pgw.ccr(session, request_type, number, services, imsi=imsi, destination_host=victim.encode())

    def check(answers, by):
        for session, answer in zip(sessions.values(), answers, strict=True):
            assert (answer.result_code, answer.session_id, answer.origin_host) == (2001, session, by.encode())
            for mscc in answer.multiple_services_credit_control:
                given = mscc.granted_service_unit and mscc.granted_service_unit.cc_total_octets
                assert (mscc.result_code, given) == (2001, None if answer.cc_request_type == 3 else 10_000_000)

    def exported(by):
        found = Counter()
        for row in network.gateways[by].usage():
            if row["session_id"] in sessions.values():
                found[row["imsi"], row["rating_group"]] += int(row["octets"])
        return found

    check(map(pgw.ask, requests(INITIAL, 0)), by=victim)
    check(map(pgw.ask, requests(UPDATE, 1)), by=victim)
    with ThreadPoolExecutor(len(sessions)) as hands:
        at_victim, at_other = len(network.reports(victim)), len(network.reports(other))
        pending = die(network, victim, lambda: [hands.submit(pgw.ask, request) for request in requests(UPDATE, 2)])
        check([answer.result(PATIENCE) for answer in pending], by=other)
    first_sent, resent = network.reports(victim)[at_victim:], network.reports(other)[at_other:]
    assert sorted(frame.end_to_end for frame in resent) == sorted(frame.end_to_end for frame in first_sent)
    assert not any(frame.retransmitted for frame in first_sent)
    for frame in resent:
        assert frame.retransmitted
        assert frame.avps(DESTINATION_HOST) == [victim.encode()]
        assert frame.avps(ROUTE_RECORD) == [b"pgw.host.example"]
    if die is lost_after_the_commit:
        assert network.granted(victim, first_sent) == network.granted(other, resent)
    assert exported(other) == used

    check(map(pgw.ask, requests(UPDATE, 3)), by=other)
    assert all(frame.avps(DESTINATION_HOST) == [victim.encode()] for frame in network.reports(other)[at_other:])
    network.bring_back(victim)
    check(map(pgw.ask, requests(UPDATE, 4)), by=victim)
    check(map(pgw.ask, requests(TERMINATION, 5)), by=victim)

    assert exported(victim) == exported(other) == used
    for msisdn, imsi, *_ in people:
        shown = network.gateways[victim].json("subscriber", "show", msisdn)
        spent = sum(price(used[imsi, str(group)]) for group in GROUPS)
        assert (Decimal(shown["balance"]), Decimal(shown["reserved"])) == (10 - spent, 0)
        assert shown["open_sessions"] == 0
    balances = network.gateways[victim].balances()
    assert balances == network.gateways[other].balances()
    assert sum(map(Decimal, balances.values())) == 0
    for gateway in network.gateways.values():
        gateway.check()
