"""What the peer of a node may take of us: seconds, octets, counts."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a peer may take of us: seconds, octets, counts."""

    cer_deadline: float = 5.0
    """From the connection to its CER (or CEA); the TLS handshake before it may take as long again."""
    connect_deadline: float = 10.0
    half_open: int = 64
    """Connections without an exchange of capabilities; one more pushes out the oldest."""
    half_open_per_address: int = 16
    outstanding_per_peer: int = 1024
    """Requests of a peer that we owe an answer; more are answered 3004."""
    message_deadline: float = 10.0
    """From the first octet of a message to its last."""
    write_deadline: float = 10.0
    """How long a peer may leave our answers unread once `write_high_water` octets wait."""
    write_high_water: int = 256 * 1024
    """Octets that wait to be sent before we stop reading from that peer."""
    write_buffer: int = 4 * 1024 * 1024
    """Octets that wait to be sent before we cut the connection."""
    probe_deadline: float = 2.0
    """How long an old connection may take to prove that it lives when its peer connects anew."""
    drain_deadline: float = 2.0
    """How long a peer that sent DPR is kept waiting for answers that we still owe it."""
    closing_deadline: float = 5.0
    """From DPR or DPA to the end of the connection."""
    tw: float = 30.0
    """Interval of the watchdog (RFC 3539)."""
    reconnect_first: float = 1.0
    """The first retry of a lost connection; each further one waits twice as long..."""
    reconnect_last: float = 30.0
    """... up to Tc (RFC 6733 §2.1)."""
