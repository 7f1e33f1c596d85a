"""Nodes on a network that has no sockets: whatever makes connections can be given, as a simulation does."""

import asyncio

from support.diameter_rig import CCA, OCS, PGW, Rig, ccr_body, two_nodes
from support.patience import until
from support.smpp_rig import DELIVER, SUBMIT, bound_pair

from protocols.diameter.identity import PeerConfig
from protocols.diameter.node_events import ConnectFailed


class Wire(asyncio.Transport):
    """One end of a connection in memory; what is written comes to the other end in a later tick."""

    def __init__(self, protocol, names):
        super().__init__(dict(zip(("sockname", "peername"), names, strict=True)))
        self.protocol, self.other, self.closing = protocol, None, False

    def write(self, data):
        asyncio.get_running_loop().call_soon(lambda: self.other.come(bytes(data)))  # taken meanwhile, maybe

    def come(self, data):
        if not self.closing:
            self.protocol.data_received(data)

    def close(self):
        for end in (self, self.other):
            if not end.closing:
                end.closing = True
                asyncio.get_running_loop().call_soon(end.protocol.connection_lost, None)

    abort = close

    def is_closing(self):
        return self.closing

    def set_write_buffer_limits(self, high=None, low=None):
        pass

    def get_write_buffer_size(self):
        return 0


class Wires:
    """A network in memory: addresses are names, and a connection is made in one tick."""

    def __init__(self):
        self.listening, self.made = {}, 0

    async def connect(self, protocol, host, port, tls, _server_hostname):
        assert tls is None
        if (host, port) not in self.listening:
            raise ConnectionRefusedError(f"nobody listens on {host}:{port}")
        self.made += 1
        ours = Wire(protocol, (("10.0.0.9", 40_000 + self.made), (host, port)))
        self.listening[host, port](Waiting(ours), "10.0.0.9")
        protocol.connection_made(ours)

    async def take(self, protocol, accepted, tls):
        assert tls is None
        accepted.take(protocol)

    async def listen(self, host, port, accept):
        self.listening[host, port] = accept
        return Port(self, (host, port))


class Waiting:
    """A connection that came in and that nobody has taken yet."""

    def __init__(self, caller):
        self.caller = caller
        names = (caller.get_extra_info("peername"), caller.get_extra_info("sockname"))
        self.end = caller.other = Wire(None, names)
        self.end.other = caller
        self.early = []
        self.end.come = self.early.append

    def take(self, protocol):
        self.end.protocol = protocol
        del self.end.come
        protocol.connection_made(self.end)
        for data in self.early:
            self.end.come(data)

    def close(self):
        self.end.protocol = asyncio.Protocol()
        self.end.close()


class Port:
    """An address that is listened on."""

    def __init__(self, wires, address):
        self._wires, self._address, self.port = wires, address, address[1]

    def stop_accepting(self):
        self._wires.listening.pop(self._address, None)

    async def close(self):
        self.stop_accepting()


async def test_two_nodes_meet_speak_and_part_over_a_network_of_the_tests_own():
    wires = Wires()
    async with two_nodes({"network": wires, "listen": (3868,)}, {"network": wires}) as (ocs, pgw):
        assert (wires.made, ocs.port) == (1, 3868)
        header, frame = await pgw.node.request(OCS, 272, 4, ccr_body(), 2.0)
        assert (header.command_code, CCA in frame) == (272, True)
    assert wires.listening == {}


async def test_a_link_and_a_message_centre_meet_and_speak_over_a_network_of_the_tests_own():
    wires = Wires()
    async with bound_pair({"network": wires, "listen": [("smsc", 2775, None)]}, {"network": wires, "host": "smsc"}) as (
        smsc,
        esme,
    ):
        assert (wires.made, smsc.port) == (1, 2775)
        assert esme.link.submit(SUBMIT)
        (await smsc.client()).send(DELIVER)
        await until(lambda: esme.results and smsc.results)
        assert [request.message for request in esme.requests] == [DELIVER]


async def test_a_network_that_refuses_is_dialled_again():
    wires = Wires()
    peer = PeerConfig(identity=OCS, realm="tpo.example", connect=("127.0.0.1", 3868))
    async with Rig(host=PGW, peers=[peer], listen=(), network=wires) as pgw:
        await pgw.told(ConnectFailed)
        assert "nobody listens" in pgw.of(ConnectFailed)[0].detail
