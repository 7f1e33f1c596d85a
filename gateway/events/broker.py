"""A connection to the MQTT 5 broker, used once: after any error it is dropped and a new one is made.

aiomqtt does the protocol. Added here is what a forwarder cannot do without: an event that the broker refuses counts as not
published, its Receive Maximum (MQTT 5 §3.3.4) and its Maximum Packet Size (§3.2.2.3.6) are kept to, a connection can be dropped
without waiting for anybody, and a broker that sends too much is dropped: a packet above our Maximum Packet Size (§3.1.2.11.4),
or an event that nobody subscribed to.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import aiomqtt
import msgspec
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.environment import InThread
from gateway.events.outbox_queue import WaitingRow
from gateway.privacy.masks import Secret

WINDOW: Final = 200
"""Events on their way at once."""
KEEPALIVE: Final = 15
TIMEOUT: Final = 5.0
"""Seconds within which the broker has to accept a connection, and to acknowledge an event."""
MAX_PACKET: Final = 16 * 1024
"""Octets of a packet that the broker may send: it has little to say but that an event has arrived."""
LARGEST: Final = 256 * 1024 * 1024
"""Octets of a packet that a broker takes which states no limit: about what MQTT can write (§2.1.4)."""
AROUND: Final = 64
"""Octets of a PUBLISH around its topic and body, at most: the head, the packet's number, what the body is."""
BATCH: Final = "application/cloudevents-batch+json"
SINGLE: Final = "application/cloudevents+json"


class Address(Protocol):
    """Where the broker listens."""

    @property
    def host(self) -> str:
        """A name or an address."""

    @property
    def port(self) -> int:
        """The TCP port."""


class BrokerSettings(Protocol):
    """How the broker is reached: the section events.mqtt of gateway.yaml."""

    @property
    def broker(self) -> Address:
        """Where it listens."""

    @property
    def topic(self) -> str:
        """What every topic begins with."""

    @property
    def username(self) -> str | None:
        """Our name there, None without one."""

    @property
    def password(self) -> Secret | None:
        """Our password there."""

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""

    @property
    def ca(self) -> Path | None:
        """The authority of its certificate; None = the machine's."""


class BrokerError(Exception):
    """The broker can't be reached, is gone, or doesn't want an event; the text says which."""


class Broker:
    """One connection, from `open` to `close`."""

    def __init__(
        self,
        settings: BrokerSettings,
        client_id: str,
        *,
        in_thread: InThread,
        timeout: float = TIMEOUT,
        may_send: Callable[[], bool] = lambda: True,
    ) -> None:
        """Take the settings and the MQTT client identifier; nothing is connected yet.

        `may_send` is asked before each event whether nobody else can be publishing it by now (store.leases).
        """
        self._settings, self._client_id, self._timeout, self._in_thread = settings, client_id, timeout, in_thread
        self._may_send = may_send
        self._client: _Client | None = None
        self._lost: asyncio.Future[None] | None = None
        self._slots = asyncio.Semaphore(WINDOW)

    async def open(self) -> None:
        """Connect; BrokerError says why it can't be done."""
        try:
            self._client = client = await self._make_client()
            entering = asyncio.ensure_future(client.__aenter__())
            entering.add_done_callback(client.settle)
            await asyncio.shield(entering)
            client.check()
        except (aiomqtt.MqttError, OSError, ValueError) as error:
            raise BrokerError(_reason(error)) from error
        self._slots = asyncio.Semaphore(client.window)
        self._lost = asyncio.ensure_future(_until_lost(client))

    async def publish(self, rows: Sequence[WaitingRow]) -> tuple[list[int], BrokerError | None]:
        """Publish rows in order, and give those that the broker acknowledged and what kept it from the others."""
        assert self._lost is not None, "publish comes after open"
        parts, too_large = self._in_parts(rows)
        tasks = [asyncio.ensure_future(self._publish(row, body)) for row, body in parts]
        if not tasks:
            return [], too_large
        finishing = asyncio.ensure_future(asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION))
        try:
            await asyncio.wait((finishing, self._lost), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (finishing, *tasks):
                task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        missing = {row.id for (row, _), outcome in zip(parts, outcomes, strict=True) if outcome is not None}
        acknowledged = [number for number in dict.fromkeys(row.id for row, _ in parts) if number not in missing]
        if not missing:
            return acknowledged, too_large
        if self._lost.done():
            return acknowledged, self._loss()
        failed = next((o for o in outcomes if isinstance(o, aiomqtt.MqttError | OSError | ValueError)), None)
        return acknowledged, BrokerError(_reason(failed) if failed else "the broker doesn't answer")

    async def idle(self, seconds: float) -> None:
        """Wait for a while; BrokerError at once if the connection is lost meanwhile."""
        assert self._lost is not None, "idle comes after open"
        done, _ = await asyncio.wait((self._lost,), timeout=seconds)
        if done:
            raise self._loss()

    async def close(self) -> None:
        """Say goodbye, if the broker listens, and let go of everything."""
        if self._lost is not None and not self._lost.done() and self._client is not None:
            await self._client.goodbye()
        self.abandon()

    def abandon(self) -> None:
        """Let go of everything at once."""
        if self._lost is not None:
            self._lost.cancel()
        if self._client is not None:
            self._client.abandon()

    def _loss(self) -> BrokerError:
        assert self._lost is not None
        error = None if self._lost.cancelled() else self._lost.exception()
        return BrokerError(_reason(error) if error else "the connection is closed")

    async def _make_client(self) -> "_Client":
        settings = self._settings
        context = None
        if settings.tls:
            ca = None if settings.ca is None else str(settings.ca)
            context = await self._in_thread(ssl.create_default_context, cafile=ca)
        return _Client(
            hostname=settings.broker.host,
            port=settings.broker.port,
            username=settings.username,
            password=None if settings.password is None else settings.password.reveal(),
            identifier=self._client_id,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=True,
            timeout=self._timeout,
            keepalive=KEEPALIVE,
            max_inflight_messages=WINDOW,
            properties=_connect_properties(),
            tls_context=context,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )

    def _in_parts(self, rows: Sequence[WaitingRow]) -> tuple[list[tuple[WaitingRow, bytes]], BrokerError | None]:
        """Divide batches that are more than the broker takes; what has an event that is too large ends the list."""
        assert self._client is not None
        parts: list[tuple[WaitingRow, bytes]] = []
        for row in rows:
            room = self._client.largest - AROUND - len(self._topic(row).encode())
            try:
                parts += [(row, body) for body in _divided(row.body, room)]
            except BrokerError as error:
                return parts, error
        return parts, None

    def _topic(self, row: WaitingRow) -> str:
        return f"{self._settings.topic}/v1/{row.topic}"

    async def _publish(self, row: WaitingRow, body: bytes) -> None:
        assert self._client is not None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's properties are untyped
        properties.ContentType = BATCH if body.startswith(b"[") else SINGLE
        properties.PayloadFormatIndicator = 1  # UTF-8 text
        async with self._slots:
            if not self._may_send():
                raise aiomqtt.MqttError("this gateway stood still: another one may have taken over")
            await self._client.publish(self._topic(row), body, qos=1, properties=properties)


def _divided(body: bytes, room: int) -> list[bytes]:
    """Return a row's body as it is, or the events of a batch in batches of at most `room` octets each."""
    if len(body) <= room:
        return [body]
    events = msgspec.json.decode(body, type=list[msgspec.Raw]) if body.startswith(b"[") else [msgspec.Raw(body)]
    batches: list[list[msgspec.Raw]] = []
    size = room
    for event in events:
        own = len(bytes(event)) + 1  # and the comma or bracket behind it
        if own >= room:
            raise BrokerError(f"an event has {own - 1} octets, and the broker takes {room - 1} at most")
        if size + own > room:
            batches.append([])
            size = 1
        batches[-1].append(event)
        size += own
    return [msgspec.json.encode(batch) for batch in batches]


def _connect_properties() -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's properties are untyped
    properties.MaximumPacketSize = MAX_PACKET
    return properties


class _Client(aiomqtt.Client):
    """aiomqtt's client with six additions, which need its inner parts; aiomqtt is pinned."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  (aiomqtt's own options)
        super().__init__(**options)
        self.window, self.largest, self._given_up, self._fault = WINDOW, LARGEST, False, ""
        self.pending_calls_threshold = WINDOW
        self._client.connect_timeout = self.timeout
        self._client._sock_recv = self._receive  # type: ignore[method-assign, assignment]  # noqa: SLF001  (paho reads by it)
        self._client._handle_publish = self._refuse_publish  # type: ignore[method-assign]  # noqa: SLF001

    def _receive(self, size: int) -> bytes:
        """Read at most `size` octets; paho asks for the whole rest of a packet, whatever the broker says that is."""
        if size > MAX_PACKET:
            self._drop(f"the broker sends a packet of more than {MAX_PACKET} octets")
            return b""
        return PahoClient._sock_recv(self._client, size)  # noqa: SLF001

    def _refuse_publish(self) -> MQTTErrorCode:
        """Drop a broker that publishes to us: nothing is subscribed, and whatever took it would grow without bounds."""
        self._drop("the broker sends an event that nobody subscribed to")
        return MQTTErrorCode.MQTT_ERR_PROTOCOL

    def _drop(self, reason: str) -> None:
        """End the connection for a fault of the broker."""
        self._fault = reason
        for future in (self._connected, self._disconnected):
            if not future.done():
                future.set_exception(aiomqtt.MqttError(reason))
                future.exception()  # looked at, so that asyncio does not complain where nobody waits for it
        self._client._sock_close()  # noqa: SLF001  (nothing more is read then)

    def check(self) -> None:
        """Raise MqttError if the connection was lost between CONNACK and now: aiomqtt forgets that."""
        if self._client.socket() is None:
            raise aiomqtt.MqttError(self._fault or "the connection was lost")

    def _on_connect(
        self,
        client: PahoClient,
        userdata: Any,  # noqa: ANN401  (paho's, unused)
        flags: Any,  # noqa: ANN401  (paho's)
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        """Note how many events the broker takes at once, and how large a packet."""
        self.window = min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW))
        self.largest = min(LARGEST, getattr(properties, "MaximumPacketSize", LARGEST))
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_publish(
        self,
        client: PahoClient,
        userdata: Any,  # noqa: ANN401  (paho's, unused)
        mid: int,
        reason_code: ReasonCode,
        properties: Properties,
    ) -> None:
        """Count a refusal (a PUBACK with a reason of 0x80 or more) as a lost connection: the event is not published."""
        if not reason_code.is_failure:
            super()._on_publish(client, userdata, mid, reason_code, properties)
        elif not self._disconnected.done():
            self._disconnected.set_exception(aiomqtt.MqttError(f"the broker refused an event: {reason_code}"))

    def settle(self, entering: "asyncio.Future[Any]") -> None:
        """Close what an attempt to connect left open, also one that came through when nobody waited for it any more."""
        failed = entering.cancelled() or entering.exception() is not None
        if failed or self._given_up:
            self.abandon()

    async def goodbye(self) -> None:
        """Send DISCONNECT, and wait a second at most for it to be written."""
        try:
            await asyncio.wait_for(self.__aexit__(None, None, None), 1.0)
        except (aiomqtt.MqttError, TimeoutError):
            return  # it went without a word

    def abandon(self) -> None:
        """Close the socket now, written or not, and forget what waits to be sent."""
        self._given_up = True
        self._client._sock_close()  # noqa: SLF001  (paho has no public way to close without writing first)
        if self._disconnected.done() and not self._disconnected.cancelled():
            self._disconnected.exception()  # looked at, so that asyncio does not complain that nobody did


async def _until_lost(client: _Client) -> None:
    async for _ in client.messages:  # nothing is subscribed: it only ends, with the connection
        continue


def _reason(error: BaseException) -> str:
    cause = error.__cause__ or error
    return str(cause) or type(cause).__name__
