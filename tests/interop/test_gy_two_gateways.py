"""Two gateways on one PostgreSQL charge the same subscribers at the same time."""

import asyncio
import random
from collections import Counter
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec
import pytest
from support import charging_fixture as charging
from support import postgres
from support.gateways import Gateway, subscribers
from support.gy_link import gy_link

pytestmark = [
    pytest.mark.xdist_group("gy_two_gateways"),
    pytest.mark.skipif(not postgres.BINARIES, reason="PostgreSQL is not installed"),
]

GROUPS = (10, 100)
MANY = subscribers(12)
POOR = subscribers(20, balance="0.15", first=50)
TWICE = subscribers(4, first=100)
FLIGHT = subscribers(8, first=150)
PRICE = Decimal("0.00000001")
"""Major units an octet of the plan payg-gb."""


@pytest.fixture(scope="module")
def gateways(tmp_path_factory):
    """Both gateways, running."""
    with postgres.server() as database:
        url, folder = database("two"), tmp_path_factory.mktemp("two")
        realms = "  served_realms: [test.example]"
        one, two = (
            Gateway(folder / name, store=url, identity=f"{name}.tpo.example", diameter=realms)
            for name in ("ocs1", "ocs2")
        )
        with one, two:
            one.enrol([*MANY, *POOR, *TWICE, *FLIGHT])
            yield one, two


def price(octets):
    return (octets * PRICE).quantize(Decimal("0.000001"), ROUND_HALF_EVEN)


def spent(usage):
    """IMSI -> what its sessions cost by their totals, (session, rating group) -> octets."""
    totals, owners = Counter(), {}
    for row in usage:
        totals[row["session_id"], row["rating_group"]] += int(row["octets"])
        owners[row["session_id"]] = row["imsi"]
    cost = Counter()
    for (session, _), octets in totals.items():
        cost[owners[session]] += price(octets)
    return cost, totals


async def test_no_wallet_is_wrong_after_both_served_the_same_subscribers(gateways):
    chance = random.Random(6733)
    used, served = Counter(), Counter()

    async def session(name, imsi, links):
        """A session of I, U, U, U, T; each request goes to a link of its own choice."""
        for number, request_type in enumerate((1, 2, 2, 2, 3)):
            amounts = [] if number == 0 else [chance.randrange(1_000_000) for _ in GROUPS]
            for group, octets in zip(GROUPS, amounts, strict=False):
                used[name, str(group)] += octets
            reports = amounts or [None, None]
            services = [
                charging.service(group, [] if octets is None else [octets], ask=None if request_type == 3 else 0)
                for group, octets in zip(GROUPS, reports, strict=True)
            ]
            request = charging.ccr(request_type, number, *services, session=name, imsi=imsi)
            answer = await chance.choice(links).ask(request)
            served[answer.origin_host] += 1
            results = [answer.result_code, *(mscc.result_code for mscc in answer.multiple_services_credit_control)]
            assert results == [2001, 2001, 2001]

    one, two = gateways
    async with gy_link(one.diameter_port) as first, gy_link(two.diameter_port) as second:
        await asyncio.gather(
            *(
                session(f"pgw.host.example;load;{imsi};{place}", imsi, links)
                for _, imsi, *_ in MANY
                for place, links in enumerate([[first], [second], [first, second], [second, first]] * 2)
            )
        )
    assert sum(served.values()) == len(MANY) * 8 * 5
    assert min(served["ocs1.tpo.example"], served["ocs2.tpo.example"]) > 100
    rows = [row for row in one.usage() if row["session_id"].startswith("pgw.host.example;load;")]
    cost, totals = spent(rows)
    assert totals == used
    assert len(rows) == len(MANY) * 8 * 4 * 2
    for msisdn, imsi, *_ in MANY:
        shown = two.json("subscriber", "show", msisdn)
        assert (Decimal(shown["balance"]), Decimal(shown["reserved"])) == (10 - cost[imsi], 0)
        assert shown["open_sessions"] == 0
    for gateway in gateways:
        gateway.check()


async def test_updates_of_one_session_in_flight_at_both_gateways_all_count(gateways):
    one, two = gateways

    async def session(imsi, links):
        name = f"pgw.host.example;flight;{imsi}"

        def update(number, octets, ask=0, request_type=2):
            services = charging.service(10, [octets], ask=ask)
            return charging.ccr(request_type, number, services, session=name, imsi=imsi)

        opening = await links[0].ask(charging.ccr(1, 0, charging.service(10, ask=0), session=name, imsi=imsi))
        asked = [link.ask(update(number, 33_333 * number)) for number, link in enumerate(links * 4, 1)]
        answers = [opening, *await asyncio.gather(*asked), await links[1].ask(update(9, 50, None, 3))]
        results = [(answer.result_code, answer.multiple_services_credit_control[0].result_code) for answer in answers]
        assert results == [(2001, 2001)] * 10

    async with gy_link(one.diameter_port) as first, gy_link(two.diameter_port) as second:
        await asyncio.gather(*(session(imsi, [first, second]) for _, imsi, *_ in FLIGHT))
    rows = [row for row in one.usage() if row["session_id"].startswith("pgw.host.example;flight;")]
    cost, totals = spent(rows)
    assert set(totals.values()) == {33_333 * 36 + 50}
    for msisdn, imsi, *_ in FLIGHT:
        shown = two.json("subscriber", "show", msisdn)
        assert (Decimal(shown["balance"]), Decimal(shown["reserved"])) == (10 - cost[imsi], 0)
    two.check()


async def test_two_gateways_never_promise_the_same_penny(gateways):
    one, two = gateways

    async def race(imsi, links):
        requests = [
            charging.ccr(1, 0, charging.service(10, ask=0), session=f"pgw.host.example;race;{imsi};{place}", imsi=imsi)
            for place in range(4)
        ]
        answers = await asyncio.gather(*(link.ask(request) for request, link in zip(requests, links * 2, strict=True)))
        found = [answer.multiple_services_credit_control[0] for answer in answers]
        return [mscc.granted_service_unit.cc_total_octets if mscc.granted_service_unit else 0 for mscc in found]

    async with gy_link(one.diameter_port) as first, gy_link(two.diameter_port) as second:
        granted = await asyncio.gather(*(race(imsi, [first, second]) for _, imsi, *_ in POOR))
    for grants in granted:  # fifteen pence buy fifteen million octets, ten million at a time
        assert sorted(grants) == [0, 0, 5_000_000, 10_000_000]
    shown = one.json("subscriber", "show", POOR[0][0])
    assert (shown["balance"], shown["reserved"]) == ("0.15", "0.15")
    two.check()


async def test_the_same_request_at_both_gateways_at_once_is_charged_once(gateways):
    one, two = gateways

    async def session(place, links):
        _, imsi, *_ = TWICE[place % len(TWICE)]
        name = f"pgw.host.example;twice;{place}"
        for request in (
            charging.ccr(1, 0, charging.service(10, ask=0), session=name, imsi=imsi),
            charging.ccr(2, 1, charging.service(10, [400_000 + place], ask=0), session=name, imsi=imsi),
            charging.ccr(3, 2, charging.service(10, [70_000]), session=name, imsi=imsi),
        ):
            flags = (0xC0, 0xD0) if place % 2 else (0xD0, 0xC0)  # the T flag is on either of them
            pair = await asyncio.gather(
                *(link.ask(request, flags=bits) for link, bits in zip(links, flags, strict=True))
            )
            assert [answer.origin_host for answer in pair] == ["ocs1.tpo.example", "ocs2.tpo.example"]
            assert pair[0].result_code == 2001
            first, second = (msgspec.structs.replace(answer, origin_host="") for answer in pair)
            assert first == second

    async with gy_link(one.diameter_port) as first, gy_link(two.diameter_port) as second:
        for begin in range(0, 20, 5):
            await asyncio.gather(*(session(place, [first, second]) for place in range(begin, begin + 5)))

    rows = [row for row in one.usage() if row["session_id"].startswith("pgw.host.example;twice;")]
    reports = Counter((row["session_id"], row["octets"]) for row in rows)
    names = {place: f"pgw.host.example;twice;{place}" for place in range(20)}
    expected = {(name, str(octets)) for place, name in names.items() for octets in (400_000 + place, 70_000)}
    assert reports == dict.fromkeys(expected, 1)
    cost, _ = spent(rows)
    for msisdn, imsi, *_ in TWICE:
        shown = two.json("subscriber", "show", msisdn)
        assert (Decimal(shown["balance"]), Decimal(shown["reserved"])) == (10 - cost[imsi], 0)
    for gateway in gateways:
        gateway.check()
