"""Whose fault it was: the two errors that every protocol here raises."""


class ProtocolError(Exception):
    """A protocol rule was broken.

    `code` is stable and dotted (`diameter.missing_avp`): logs, metrics and API bodies carry it.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class RemoteProtocolError(ProtocolError):
    """The peer broke a rule; subclasses carry what the wire is answered with."""


class LocalProtocolError(ProtocolError):
    """We broke a rule: a value that does not fit its field, a call in the wrong state."""
