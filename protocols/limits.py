"""What whoever connects may take of us, whatever protocol it speaks: seconds, octets, counts."""

import msgspec


class ConnectionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How many connections a server takes. A half-open one has not shown yet who it is: its first message has not come."""

    connections: int = 1024
    """Connections in all; one more is closed at once."""
    connections_per_address: int = 256
    """Connections of one address; one more is closed at once."""
    half_open: int = 64
    """Half-open connections in all; one more pushes out the oldest."""
    half_open_per_address: int = 16
    """Half-open connections of one address; one more pushes out its oldest."""


class StreamLimits(ConnectionLimits, frozen=True, kw_only=True):
    """What the peer of a stream may take, whoever of both dialled."""

    connect_deadline: float = 10.0
    message_deadline: float = 10.0
    """From the first octet of a message to its last."""
    drain_deadline: float = 5.0
    """How long a side that leaves in order is kept waiting for what is still owed."""
    closing_deadline: float = 5.0
    """From the last octet that we send to the end of the connection."""
    outstanding: int = 128
    """Requests of the peer that we owe an answer before what else it sends has to wait; we go on at half of them."""
    overload_deadline: float = 1.0
    """How long it may wait so; then what finds no room is refused, until for as long nothing had to be."""
    waiting_octets: int = 1024 * 1024
    """Of memory for the peer's messages that wait: with more it is far behind as well, and left unread until half is gone."""
    messages_per_turn: int = 64
    """Messages of one peer that are handled before the other peers have their turn."""
    write_deadline: float = 10.0
    """How long a peer may leave what we send unread once `write_high_water` octets wait."""
    write_high_water: int = 256 * 1024
    """Octets that wait to be sent before we stop reading from that peer."""
    write_buffer: int = 4 * 1024 * 1024
    """Octets that wait to be sent before we cut the connection."""
