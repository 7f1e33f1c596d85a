"""What can go wrong between us and a card, an order or a host; each error has a stable code and says what to do."""


class ProvisioningError(Exception):
    """Base of this domain; `code` is stable and dotted, and no message carries a key or a whole number."""

    code = "provisioning"

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        if code:
            self.code = code


class IdentifierInvalid(ProvisioningError, ValueError):
    """A text that is not the number or key it is given as."""

    code = "identifier.invalid"


class MoveInvalid(ProvisioningError):
    """The life of a SIM has no such way from where it stands."""

    code = "sim.state"


class HostRefused(ProvisioningError):
    """The host said no, and will say so again: what was done so far is undone."""

    code = "host.refused"


class HostDeclined(HostRefused):
    """The host said no without a reason that lasts: its database may be locked. It is asked again a few times, later."""


class HostUnavailable(ProvisioningError):
    """The host is down, or nobody knows whether it did what was asked: the same call is made again, later.

    `after`: in how many seconds at the earliest, where the host said so. `one_line`: it may do better for another line.
    """

    code = "host.unavailable"

    def __init__(self, message: str, code: str = "", after: float | None = None, *, one_line: bool = False) -> None:
        super().__init__(message, code)
        self.after, self.one_line = after, one_line
