"""What the peer of a node may take of us: seconds, octets, counts."""

from protocols.limits import StreamLimits


class Limits(StreamLimits, frozen=True, kw_only=True):
    """What RFC 6733 and RFC 3539 leave to a node, beside what holds for any stream."""

    cer_deadline: float = 5.0
    """From the connection to its CER (or CEA); the TLS handshake before it may take as long again."""
    probe_deadline: float = 2.0
    """How long an old connection may take to prove that it lives when its peer connects anew."""
    drain_deadline: float = 2.0
    """How long a peer that sent DPR is kept waiting for answers that we still owe it."""
    tw: float = 30.0
    """Interval of the watchdog (RFC 3539)."""
    reconnect_first: float = 1.0
    """The first retry of a lost connection; each further one waits twice as long..."""
    reconnect_last: float = 30.0
    """... up to Tc (RFC 6733 §2.1)."""
