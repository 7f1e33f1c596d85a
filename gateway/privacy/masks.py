"""Hide what identifies a customer or opens a door: numbers in text, secrets in `repr`."""

from __future__ import annotations

import hmac
from typing import NoReturn

from provisioning.masks import MASK, mask

__all__ = ["MASK", "Secret", "mask"]


class Secret:
    """A password, token or key that never prints itself: only `reveal()` gives it away.

    `origin` tells where it came from and may be shown: `env:NAME`, `file:PATH` or `literal`.
    A secret whose value is None is out of this process's reach.
    """

    __slots__ = ("_value", "origin")

    def __init__(self, value: str | None, origin: str = "literal") -> None:
        self._value = value
        self.origin = origin

    def reveal(self) -> str:
        """Return the secret itself; the caller must not log or store it. Raises LookupError if out of reach."""
        if self._value is None:
            message = f"the secret {self.origin} is out of this process's reach"
            raise LookupError(message)
        return self._value

    def matches(self, candidate: str) -> bool:
        """Return whether `candidate` is this secret, in a time that doesn't depend on how much of it is right."""
        return self._value is not None and hmac.compare_digest(
            self._value.encode(), candidate.encode(errors="surrogatepass")
        )

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __format__(self, form: str) -> str:
        return format(repr(self), form)

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret) or self._value is None or other._value is None:
            return self is other
        return self.matches(other._value)

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        # A pickle, or a copy by way of one, would carry the secret in clear.
        message = "a Secret can't be pickled"
        raise TypeError(message)
