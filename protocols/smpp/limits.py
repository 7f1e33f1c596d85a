"""What a link and its peer may take of each other: seconds, octets, counts."""

from protocols.limits import StreamLimits


class Limits(StreamLimits, frozen=True, kw_only=True):
    """The four timers of SMPP 3.4 §7.2, the send window, and the room that a peer gets beside that of any stream."""

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
    remembered: int = 1024
    """Requests without a response in time whose late response is still recognised."""
    reconnect_first: float = 1.0
    """The first retry of a lost connection; each further one waits twice as long..."""
    reconnect_last: float = 60.0
    """... up to this."""
    refused_first: float = 60.0
    """The same after a bind that was refused for a reason that time alone won't mend..."""
    refused_last: float = 900.0
    steady: float = 30.0
    """A link that stayed bound for so long starts again from `reconnect_first`."""
