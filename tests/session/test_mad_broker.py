"""A broker that sends what nobody asked for: it is dropped at once, and what it sends is not kept."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from support.mosquitto import settings

from gateway.events.broker import MAX_PACKET, Broker, BrokerError

CONNACK = b"\x20\x03\0\0\0"
MAXIMUM_PACKET_SIZE = b"\x27" + MAX_PACKET.to_bytes(4, "big")


def publish(qos, size=200):
    """A PUBLISH of so many octets behind its topic, and a packet identifier where it has one."""
    body = b"\0\1t" + (b"\0\7" if qos else b"") + b"\0" + bytes(size)
    return bytes([0x30 | qos << 1, len(body) & 0x7F | 0x80, len(body) >> 7]) + body


@asynccontextmanager
async def broker(*pieces):
    """A listener that answers CONNECT by these octets, the last again and again: (port, what CONNECT said)."""
    said = []

    async def attend(reader, writer):
        said.append(await reader.read(4096))
        try:
            for piece in pieces:
                writer.write(piece)
            while True:
                writer.write(pieces[-1])
                await writer.drain()
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(attend, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], said
    finally:
        server.close()


async def stay(port):
    """Connect, and stay for as long as the connection does."""
    connection = Broker(settings(port), "test", in_thread=asyncio.to_thread, timeout=5.0)
    try:
        await connection.open()
        await connection.idle(10.0)
    finally:
        connection.abandon()


@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_an_event_that_nobody_subscribed_to_ends_the_connection(qos):
    async with broker(CONNACK, publish(qos)) as (port, _):
        with pytest.raises(BrokerError, match="the broker sends an event that nobody subscribed to"):
            await stay(port)


async def test_a_packet_above_our_maximum_is_not_read_and_the_broker_was_told_of_it():
    async with broker(CONNACK + b"\x30\xff\xff\xff\x7f", bytes(1 << 16)) as (port, said):
        with pytest.raises(BrokerError, match=f"the broker sends a packet of more than {MAX_PACKET} octets"):
            await stay(port)
        assert MAXIMUM_PACKET_SIZE in said[0]


async def test_so_does_one_that_says_too_much_before_it_lets_us_in():
    async with broker(b"\x20\xff\xff\xff\x7f", bytes(1 << 16)) as (port, _):
        with pytest.raises(BrokerError, match="a packet of more than"):
            await stay(port)
