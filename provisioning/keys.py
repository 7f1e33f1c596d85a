"""A card's secrets: Ki and OPc, which never print themselves (TS 35.206 §2.3, §8.2)."""

import hmac
from typing import Final, NoReturn

from provisioning.errors import IdentifierInvalid

SIZE: Final = 16
"""Octets of K and of OPc (TS 35.206 §2.3)."""


class Keys:
    """Ki and OPc of one card for Milenage, 16 octets each; only `ki` and `opc` give them away."""

    __slots__ = ("ki", "opc")

    def __init__(self, ki: bytes, opc: bytes) -> None:
        if len(ki) != SIZE or len(opc) != SIZE:
            raise IdentifierInvalid(f"Ki and OPc have {SIZE} octets each", "identifier.key")
        self.ki, self.opc = ki, opc

    @classmethod
    def unpack(cls, packed: bytes) -> "Keys":
        """Read what `pack` wrote."""
        return cls(packed[:SIZE], packed[SIZE:])

    def pack(self) -> bytes:
        """Return both in one piece of 32 octets, to be sealed."""
        return self.ki + self.opc

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Keys) and hmac.compare_digest(self.pack(), other.pack())

    def __hash__(self) -> int:
        return hash(self.pack())

    def __repr__(self) -> str:
        return "Keys(********)"

    __str__ = __repr__

    def __format__(self, form: str) -> str:
        return format(repr(self), form)

    def __reduce__(self) -> NoReturn:
        # A pickle, or a copy by way of one, would carry them in clear.
        message = "Keys can't be pickled"
        raise TypeError(message)
