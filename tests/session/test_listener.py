"""Listening sockets under a server of no protocol: what is accepted, refused and cut off, and what a full process does."""

import asyncio
import os
import resource
import socket
from contextlib import asynccontextmanager, contextmanager

import pytest
from support.patience import PATIENCE, until

from protocols.connection_table import Eviction
from protocols.descriptors import Descriptors
from protocols.limits import ConnectionLimits
from protocols.listener import Listeners


class Rig:
    """A server whose connections are sockets."""

    def __init__(self, first_message=60.0, descriptors=None, **limits):
        self.accepted, self.refused, self.evicted = [], [], []
        options = {} if descriptors is None else {"descriptors": descriptors}
        self.listeners = Listeners(
            ConnectionLimits(**limits),
            first_message,
            accept=self.accept,
            refuse=lambda address, why: self.refused.append((address, why)),
            evict=self.evict,
            **options,
        )

    def evict(self, sock, eviction):
        self.evicted.append((sock, eviction))
        if eviction is Eviction.DESCRIPTORS:
            sock.close()
            self.listeners.connections.discard(sock)

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


@contextmanager
def no_free_descriptor():
    """No descriptor can be had meanwhile, but those that are freed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))  # noqa: PTH208
    opened = [os.dup(0)]
    while opened[-1] < highest:  # those that were closed are below others
        opened.append(os.dup(0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened[-1] + 1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for number in opened:
            os.close(number)


def unconnected():
    sock = socket.socket()
    sock.setblocking(False)
    return sock


async def test_a_process_without_a_free_descriptor_closes_who_comes_at_once_and_accepts_later():
    loop = asyncio.get_running_loop()
    async with listening() as rig:
        first, late = unconnected(), unconnected()
        with no_free_descriptor():
            await loop.sock_connect(first, ("127.0.0.1", rig.listeners.ports[0]))
            async with asyncio.timeout(PATIENCE):
                assert await loop.sock_recv(first, 1) == b""
            assert rig.accepted == []
        await loop.sock_connect(late, ("127.0.0.1", rig.listeners.ports[0]))
        await until(lambda: rig.accepted)
        for end in (first, late):
            end.close()


async def test_a_process_without_a_free_descriptor_lets_the_oldest_half_open_connection_go_for_who_comes():
    loop = asyncio.get_running_loop()
    async with listening() as rig, listening() as other:
        silent = [await connected(rig) for _ in range(3)]
        ends = [unconnected() for _ in range(4)]
        await until(lambda: len(rig.accepted) == 3)
        rig.listeners.connections.leave_half_open(rig.accepted[0])
        with no_free_descriptor():
            for number, end in enumerate(ends[:2], 1):
                await loop.sock_connect(end, ("127.0.0.1", other.listeners.ports[0]))
                await until(lambda number=number: len(other.accepted) == number)
                other.listeners.connections.leave_half_open(other.accepted[-1])
            assert rig.evicted == [(sock, Eviction.DESCRIPTORS) for sock in rig.accepted[1:]]
            await loop.sock_connect(ends[2], ("127.0.0.1", other.listeners.ports[0]))
            async with asyncio.timeout(PATIENCE):
                assert await loop.sock_recv(ends[2], 1) == b""  # all that are left have shown who they are
        for end in (*silent, *ends):
            end.close()


async def test_connections_leave_descriptors_to_the_process_itself():
    descriptors = Descriptors(lambda: 8)
    async with listening(descriptors=descriptors) as rig, listening(descriptors=descriptors) as other:
        ends = [await connected(rig) for _ in range(4)]
        await until(lambda: len(rig.accepted) == 4)
        ends.append(await connected(other))
        await until(lambda: rig.evicted)
        assert rig.evicted == [(rig.accepted[0], Eviction.DESCRIPTORS)]
        await until(lambda: other.accepted)
        for sock in (*rig.accepted, *other.accepted):
            for table in (rig.listeners.connections, other.listeners.connections):
                table.leave_half_open(sock)
        rig.listeners.connections.add(rig.accepted[0], "192.0.2.1", 0.0)
        rig.listeners.connections.leave_half_open(rig.accepted[0])
        ends.append(await connected(other))
        await until(lambda: other.refused)
        assert other.refused == [("127.0.0.1", Eviction.DESCRIPTORS.value)]
        for end in ends:
            end.close()
