"""Listening sockets under a server of no protocol: what is accepted, refused and cut off, and what a full process does."""

import asyncio
import os
import resource
import socket
from contextlib import asynccontextmanager

import pytest
from support.diameter_rig import until

from protocols.connection_table import Eviction
from protocols.limits import ConnectionLimits
from protocols.listener import Listeners


class Rig:
    """A server whose connections are sockets."""

    def __init__(self, first_message=60.0, **limits):
        self.accepted, self.refused, self.evicted = [], [], []
        self.listeners = Listeners(
            ConnectionLimits(**limits),
            first_message,
            accept=self.accept,
            refuse=lambda address, why: self.refused.append((address, why)),
            evict=lambda sock, eviction: self.evicted.append((sock, eviction)),
        )

    def accept(self, sock, _address, _tls):
        self.accepted.append(sock)
        return sock


@asynccontextmanager
async def listening(listen=(("127.0.0.1", 0, None),), **options):
    rig = Rig(**options)
    await rig.listeners.open(listen)
    try:
        yield rig
    finally:
        await rig.listeners.close()
        for sock in rig.accepted:
            sock.close()


async def connected(rig):
    sock = socket.socket()
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", rig.listeners.ports[0]))
    return sock


async def test_each_host_has_its_port_in_order():
    async with listening([("127.0.0.1", 0, None), ("localhost", 0, None)]) as rig:
        first, second = rig.listeners.ports
        assert first != second
        assert all(rig.listeners.ports)


async def test_where_one_port_is_taken_nothing_is_left_open():
    async with listening() as other:
        taken = other.listeners.ports[0]
        rig = Rig()
        with pytest.raises(OSError, match="in use"):
            await rig.listeners.open([("127.0.0.1", 0, None), ("127.0.0.1", taken, None)])
        with pytest.raises(ConnectionRefusedError):
            await connected(rig)


async def test_a_silent_connection_is_evicted_in_time_and_one_that_has_spoken_is_not():
    async with listening(first_message=0.1) as rig:
        ends = [await connected(rig) for _ in range(3)]
        await until(lambda: len(rig.accepted) == 3)
        rig.listeners.connections.leave_half_open(rig.accepted[1])
        await until(lambda: len(rig.evicted) == 2)
        assert rig.evicted == [(rig.accepted[0], Eviction.LATE), (rig.accepted[2], Eviction.LATE)]
        assert len(rig.listeners.connections) == 3  # until their owner says that nothing is left of them
        for end in ends:
            end.close()


async def test_a_connection_too_many_is_closed_at_once_and_its_address_is_known():
    async with listening(connections=1) as rig:
        ends = [await connected(rig) for _ in range(2)]
        assert await asyncio.get_running_loop().sock_recv(ends[1], 1) == b""
        assert rig.refused == [("127.0.0.1", "too many connections")]
        for end in ends:
            end.close()


async def test_nothing_is_accepted_from_the_moment_when_that_is_said():
    async with listening() as rig:
        early = await connected(rig)
        await until(lambda: rig.accepted)
        rig.listeners.stop_accepting()
        late = await connected(rig)  # the system takes it, until the socket is closed
        await rig.listeners.close()
        assert len(rig.accepted) == 1
        for end in (early, late):
            end.close()


async def test_a_unix_socket_has_no_addresses_and_its_connections_count_all_the_same(tmp_path):
    async with listening([], connections_per_address=1) as rig:
        bound = socket.socket(socket.AF_UNIX)
        bound.bind(str(tmp_path / "socket"))
        rig.listeners.listen(bound)
        ends = [await asyncio.open_unix_connection(tmp_path / "socket") for _ in range(2)]
        assert await ends[1][0].read() == b""
        assert (len(rig.accepted), rig.refused) == (1, [("", "too many connections of one address")])
        for _, writer in ends:
            writer.close()


async def test_a_process_without_a_free_descriptor_accepts_later():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with listening() as rig:
        end = socket.socket()
        end.setblocking(False)
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        try:
            await asyncio.get_running_loop().sock_connect(end, ("127.0.0.1", rig.listeners.ports[0]))
            for _ in range(20):
                await asyncio.sleep(0)
            assert rig.accepted == []
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await until(lambda: rig.accepted)
        end.close()
