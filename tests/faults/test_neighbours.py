"""One mad neighbour harms nobody else: a good peer at a fixed rate is served, /livez answers, memory is flat.

How long each answer takes beside each neighbour is measured by `python -m tests.bench.neighbours`.
"""

import asyncio

import pytest
from support.gateways import LANE, ROOT, Gateway, lanes_of, subscribers
from support.lateness import Lateness, Stretch
from support.neighbours import (
    BROKER,
    DIAMETER,
    GOOD,
    MAD,
    SMSC,
    Neighbour,
    Sessions,
    behave,
    cer,
    forget_most,
    look,
    resident,
)
from support.patience import PATIENCE
from support.ports import free_port

from protocols.diameter.codec import encode_message
from protocols.diameter.generated import encode
from protocols.diameter.messages import DisconnectPeerRequest

SECONDS = 2.0
RATE = 100.0
"""CCRs a second of the good peer: less than a tenth of what a gateway of two cores answers."""
ROWS = subscribers(2, balance="100000.00")
GROWTH = 80 << 20
"""Octets that the gateway may grow by meanwhile: the store's page cache (64 MiB) fills while it charges."""
PEERS = [f"{{identity: {host}, realm: host.example}}" for host in (GOOD, MAD)]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with gateway_beside(tmp_path_factory.mktemp("neighbours")) as running:
        running.enrol(ROWS)
        yield running


def gateway_beside(folder, kind="", port=0, lane=LANE):
    """A gateway with a mad peer among its own, or one that dials a mad message centre or broker."""
    extra = ""
    if kind in SMSC:
        extra = f"smpp: {{links: [{{name: mad, host: 127.0.0.1, port: {port}, system_id: tpo, password: secret}}]}}\n"
    elif kind in BROKER:
        extra = f'events: {{mqtt: {{url: "mqtt://127.0.0.1:{port}"}}}}\n'
    return Gateway(folder, peers=PEERS, extra=f'{extra}messaging: {{short_codes: ["70070"]}}', lane=lane)


async def beside(kind, gateway, port):
    """Have the good peer charge beside a neighbour, and see what it came to."""
    async with Neighbour(kind, port, SECONDS + 1, ROWS[1][1], root=ROOT) as neighbour:
        if kind not in DIAMETER:
            await asyncio.to_thread(gateway.start)
            await asyncio.to_thread(gateway.enrol, ROWS)
        pid = gateway.process.pid
        forget_most(pid)
        before, _ = resident(pid)
        stretch = Stretch(pid, *lanes_of(pid))
        with Lateness() as late:
            figures, livez = await asyncio.gather(
                behave(gateway.diameter_port, ROWS[0][1], RATE, SECONDS, ready=neighbour.begin, in_time=20.0),
                look(gateway.http_port, SECONDS),
            )
        in_time = stretch.factor + 3 * late.most  # a second, on a machine of its own
        _, most = resident(pid)
        told = await neighbour.end()
    assert told["sent"] > 0  # it was there
    assert sum(passed < in_time for passed in figures.seconds) >= 0.95 * figures.sent
    assert livez[len(livez) // 2] < 0.5 * in_time
    assert most - before < GROWTH
    assert "Traceback" not in gateway.log.read_text()


@pytest.mark.parametrize("kind", DIAMETER)
async def test_a_good_peer_is_served_beside_a_mad_one(gateway, kind):
    await beside(kind, gateway, gateway.diameter_port)


async def test_a_good_peer_is_served_beside_a_flood_where_the_lane_is_a_thread(tmp_path):
    with gateway_beside(tmp_path, lane="thread") as running:
        await asyncio.to_thread(running.enrol, ROWS)
        await beside("ccr", running, running.diameter_port)


@pytest.mark.parametrize("kind", [*SMSC, *BROKER])
async def test_a_good_peer_is_served_beside_a_mad_message_centre_or_broker(tmp_path, kind):
    port = free_port()
    running = gateway_beside(tmp_path, kind, port)
    try:
        await beside(kind, running, port)
    finally:
        await asyncio.to_thread(running.__exit__)


async def test_all_that_a_peer_asks_before_it_leaves_is_served_and_then_it_gets_its_dpa(gateway):
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.diameter_port)
    writer.write(cer(MAD))
    await receive(reader)
    sessions = Sessions(MAD, ROWS[1][1], first=1_000_000_000)
    leaving = DisconnectPeerRequest(origin_host=MAD, origin_realm="host.example", disconnect_cause=0)
    asked = [sessions.take() for _ in range(400)]
    writer.write(b"".join(asked) + encode_message(0x80, 282, 0, 9, 9, encode(leaving)))
    answers = [await receive(reader) for _ in asked]
    assert not any(frame[4] & 0x20 for frame in answers)
    assert {frame[12:16] for frame in answers} == {frame[12:16] for frame in asked}
    assert int.from_bytes((await receive(reader))[5:8], "big") == 282
    writer.close()


async def receive(reader):
    """The next answer of a gateway."""
    async with asyncio.timeout(PATIENCE):
        while True:
            head = await reader.readexactly(4)
            frame = head + await reader.readexactly(int.from_bytes(head[1:], "big") - 4)
            if not frame[4] & 0x80:
                return frame
