"""What befalls the calls of a simulated service: a share for each fault, drawn by seed and by the call's own name."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from hashlib import blake2b
from typing import Final, Generic, TypeVar

F = TypeVar("F", bound=StrEnum)
KEPT_TRIES: Final = 100_000
"""Names whose tries are counted; the oldest is forgotten, and begins anew."""
_SPAN: Final = float(1 << 64)


class FaultsUnreadable(ValueError):
    """A text, or an object of JSON or YAML, that names no faults."""


def read_shares(text: str, kind: type[F]) -> dict[F, float]:
    """Read `error-after=0.02,slow=0.1`: probabilities by fault, 1 at most in all."""
    pairs = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    return check_shares(((name.strip(), share) for name, _, share in pairs), kind)


def check_shares(pairs: Iterable[tuple[object, object]], kind: type[F]) -> dict[F, float]:
    """Return the faults of (name, probability); FaultsUnreadable if one is none, comes twice, or all come to more than 1."""
    found: dict[F, float] = {}
    for name, share in pairs:
        try:
            fault, probability = kind(str(name)), float(str(share))
        except ValueError:
            message = f"{f'{name}={share}'!r} is no FAULT=PROBABILITY; faults are {', '.join(kind)}"
            raise FaultsUnreadable(message) from None
        if fault in found or not 0.0 <= probability <= 1.0:
            message = f"{f'{name}={share}'!r}: give each fault once, with a probability from 0 to 1"
            raise FaultsUnreadable(message)
        found[fault] = probability
    if sum(found.values()) > 1.0:
        message = "the probabilities come to more than 1"
        raise FaultsUnreadable(message)
    return found


class Shares(Generic[F]):
    """Draws faults. A call's fate depends on its name and on how often it was tried, not on what else is going on.

    The same seed gives the same faults again, however calls overlap. `steer` changes the shares at any time.
    """

    def __init__(self, shares: Mapping[F, float], seed: int) -> None:
        self._seed = seed
        self._bounds: list[tuple[float, F]] = []
        self._tries: dict[str, int] = {}
        self.steer(shares)

    def steer(self, shares: Mapping[F, float]) -> None:
        """Let these be the shares from now on; those that are not named happen no more."""
        reached = 0.0
        self._bounds = []
        for fault, probability in shares.items():
            reached += probability
            self._bounds.append((reached, fault))

    def draw(self, name: str) -> F | None:
        """Return what befalls this call, if anything does."""
        if not self._bounds:
            return None
        attempt = self._tries.pop(name, 0) + 1
        self._tries[name] = attempt
        if len(self._tries) > KEPT_TRIES:
            del self._tries[next(iter(self._tries))]
        digest = blake2b(f"{self._seed}/{name}/{attempt}".encode(), digest_size=8).digest()
        drawn = int.from_bytes(digest) / _SPAN
        return next((fault for bound, fault in self._bounds if drawn < bound), None)
