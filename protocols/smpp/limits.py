"""What a link and its peer may take of each other: seconds, octets, counts."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The four timers of SMPP 3.4 §7.2, the send window, and the room that a peer gets."""

    session_init: float = 5.0
    """From the connection to a finished bind, on both sides."""
    enquire_link: float = 30.0
    """Silence of the peer after which it is asked whether it is there; any PDU of its begins the interval anew."""
    inactivity: float = 0.0
    """Seconds without a transaction (an enquire_link is none) after which we leave in order; 0: we stay."""
    response_timeout: float = 10.0
    """How long a request waits for its response before it is doubtful; also of enquire_link and unbind."""
    window: int = 10
    """Requests of ours that may be unanswered."""
    rate: float = 0.0
    """Requests a second that we send at most; 0: as many as the window lets through."""
    burst: float = 0.1
    """Seconds' worth of `rate` that may be sent at once after a silence."""
    throttle_first: float = 1.0
    """How long we send nothing once the peer said RTHROTTLED or RMSGQFUL; each time in a row twice as long..."""
    throttle_last: float = 60.0
    """... up to this."""
    outstanding: int = 1024
    """Requests of the peer that we owe a response; more are refused for the time being."""
    remembered: int = 1024
    """Requests without a response in time whose late response is still recognised."""
    connect_deadline: float = 10.0
    message_deadline: float = 10.0
    """From the first octet of a PDU to its last."""
    drain_deadline: float = 5.0
    """How long an unbind waits for responses that are owed, either way."""
    closing_deadline: float = 5.0
    """From the last octet that we send to the end of the connection."""
    write_deadline: float = 10.0
    """How long a peer may leave what we send unread once `write_high_water` octets wait."""
    write_high_water: int = 256 * 1024
    """Octets that wait to be sent before we stop reading from that peer."""
    write_buffer: int = 4 * 1024 * 1024
    """Octets that wait to be sent before we cut the connection."""
    half_open: int = 64
    """Connections of a server without a bind; one more pushes out the oldest."""
    half_open_per_address: int = 16
    connections_per_address: int = 256
    """Connections of one address, bound ones too; one more is closed at once."""
    reconnect_first: float = 1.0
    """The first retry of a lost connection; each further one waits twice as long..."""
    reconnect_last: float = 60.0
    """... up to this."""
    refused_first: float = 60.0
    """The same after a bind that was refused for a reason that time alone won't mend..."""
    refused_last: float = 900.0
    steady: float = 30.0
    """A link that stayed bound for so long starts again from `reconnect_first`."""
