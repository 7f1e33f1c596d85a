"""What Diameter tests on real sockets share: a node with its events kept, a bare peer, requests, certificates."""

import asyncio
import datetime
import ssl
import time
from contextlib import asynccontextmanager, suppress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from protocols.diameter.codec import HEADER_SIZE, decode_header, encode_avp, encode_message
from protocols.diameter.generated import encode
from protocols.diameter.identity import NodeIdentity, PeerConfig
from protocols.diameter.inbound import Application
from protocols.diameter.limits import Limits
from protocols.diameter.messages import (
    CapabilitiesExchangeRequest,
    CreditControlAnswer,
    CreditControlRequest,
    DisconnectPeerAnswer,
)
from protocols.diameter.node import Node
from protocols.diameter.node_events import PeerUp
from protocols.diameter.transitions import DisconnectCause
from protocols.network import SOCKETS
from support.patience import PATIENCE, until

OCS, PGW = "ocs.tpo.example", "pgw.host.example"

CCA = encode(
    CreditControlAnswer(
        session_id=b"pgw.host.example;1;2",
        origin_host=OCS,
        origin_realm="tpo.example",
        result_code=2001,
        auth_application_id=4,
        cc_request_type=1,
        cc_request_number=0,
    )
)


def echo(request):
    """The handler of an application that answers everything alike."""
    request.answer(CCA)


def identity(host, **changes):
    """Who a node of the tests is."""
    return NodeIdentity(origin_host=host, origin_realm=host.partition(".")[2], origin_state_id=1700000000, **changes)


class Rig:
    """A node on loopback, and what it told."""

    def __init__(
        self,
        host=OCS,
        peers=None,
        handler=echo,
        commands=(272,),
        listen=(0,),
        limits=None,
        tls=None,
        network=SOCKETS,
        **who,
    ):
        if peers is None:
            peers = [PeerConfig(identity=PGW, realm="host.example", relay=True)]
        self.events = []
        self.node = Node(
            identity(host, **who),
            peers,
            {4: Application(handler, frozenset(commands))},
            [("127.0.0.1", port, tls) for port in listen],
            limits or Limits(),
            clock=time.monotonic,
            random=lambda: 0.5,
            on_event=self.events.append,
            network=network,
        )

    @property
    def port(self):
        """Where it listens."""
        return self.node.ports[0]

    def of(self, kind):
        """The events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    async def told(self, kind, count=1):
        """Wait for so many events of a kind; returns the last."""
        await until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)[count - 1]

    async def __aenter__(self):
        await self.node.start()
        return self

    async def __aexit__(self, *exc):
        await self.node.stop(DisconnectCause.REBOOTING, 1.0)


@asynccontextmanager
async def two_nodes(server=None, client=None):
    """A node that listens and one that has dialled it; open."""
    async with Rig(**(server or {})) as ocs:
        peer = PeerConfig(identity=OCS, realm="tpo.example", connect=("127.0.0.1", ocs.port))
        options = {"host": PGW, "peers": [peer], "commands": (258,), "listen": ()} | (client or {})
        async with Rig(**options) as pgw:
            await pgw.told(PeerUp)
            await ocs.told(PeerUp)
            yield ocs, pgw


class RawPeer:
    """A peer without manners: sends what it is told, reads messages one by one."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, port, tls=None, name=None):
        """A connection that has said nothing yet."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name if tls else None))

    @classmethod
    async def open(cls, port, host=PGW, tls=None):
        """A connection on which capabilities were exchanged."""
        peer = await cls.connect(port, tls, OCS)
        peer.send(cer(host))
        header, _ = await peer.receive()
        assert header.command_code == 257
        return peer

    def send(self, data):
        """Put octets on the wire."""
        self.writer.write(data)

    async def receive(self):
        """The next message: header and frame."""
        async with asyncio.timeout(PATIENCE):
            head = await self.reader.readexactly(4)
            frame = head + await self.reader.readexactly(int.from_bytes(head[1:], "big") - 4)
        return decode_header(frame), frame

    async def ask(self, message):
        """Send a request, read the next message that is no watchdog."""
        self.send(message)
        while True:
            header, frame = await self.receive()
            if not (header.request and header.command_code == 280):
                return header, frame
            self.send(encode_message(0, 280, 0, header.hop_by_hop, header.end_to_end, b""))

    async def rest(self):
        """What comes until the other end closes."""
        data = b""
        async with asyncio.timeout(PATIENCE):
            try:
                while piece := await self.reader.read(65536):
                    data += piece
            except ConnectionError:
                pass
        return data

    async def leave(self):
        """Close without a word."""
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()


def cer(host=PGW, **changes):
    """A CER of a peer that speaks credit control."""
    fields = {
        "origin_host": host,
        "origin_realm": host.partition(".")[2],
        "host_ip_address": (b"\0\1\x7f\0\0\1",),
        "vendor_id": 0,
        "product_name": "test",
        "auth_application_id": (4,),
    } | changes
    return encode_message(0x80, 257, 0, 1, 1, encode(CapabilitiesExchangeRequest(**fields)))


def dpa(header, host=PGW):
    """The answer to a DPR."""
    body = DisconnectPeerAnswer(result_code=2001, origin_host=host, origin_realm=host.partition(".")[2])
    return encode_message(0, 282, 0, header.hop_by_hop, header.end_to_end, encode(body))


def ccr_body(**changes):
    """The AVPs of a small CCR-I."""
    fields = {
        "session_id": b"pgw.host.example;1;2",
        "origin_host": PGW,
        "origin_realm": "host.example",
        "destination_realm": "tpo.example",
        "auth_application_id": 4,
        "service_context_id": "32251@3gpp.org",
        "cc_request_type": 1,
        "cc_request_number": 0,
    } | changes
    return encode(CreditControlRequest(**fields))


def ccr(number=1, flags=0xC0, command_code=272, application_id=4, extra=b"", **changes):
    """A whole small CCR-I; `extra` are encoded AVPs at its end."""
    return encode_message(flags, command_code, application_id, number, number + 1000, ccr_body(**changes) + extra)


def proxy_info(host, state):
    """A Proxy-Info AVP."""
    return encode_avp(284, encode_avp(280, host) + encode_avp(33, state))


def body_of(frame):
    """The AVPs of a whole message."""
    return frame[HEADER_SIZE:]


class Authority:
    """A certificate authority of the tests."""

    def __init__(self):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        usage = x509.BasicConstraints(ca=True, path_length=0)
        self.certificate = self._build(self._name, self._key.public_key()).add_extension(usage, critical=True)
        self.certificate = self.certificate.sign(self._key, hashes.SHA256())

    def _build(self, subject, public_key):
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )

    def issue(self, folder, name):
        """Write `name`.pem, `name`.key and ca.pem; returns their paths."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        certificate = self._build(subject, key.public_key()).add_extension(names, critical=False)
        certificate = certificate.sign(self._key, hashes.SHA256())
        paths = folder / f"{name}.pem", folder / f"{name}.key", folder / "ca.pem"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        paths[2].write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return paths

    def context(self, folder, name, *, server):
        """A context that shows the certificate of `name` and wants to see one of ours."""
        certificate, key, authority = self.issue(folder, name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_REQUIRED
        return context
