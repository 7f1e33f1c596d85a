"""What two configurations differ in: what a running gateway may take over, and what needs a restart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

import msgspec

from gateway.settings.loading import Settings
from gateway.settings.sections.diameter import DiameterPeer
from gateway.settings.sections.section import Section
from gateway.settings.top_level import FILES, SECTIONS

FIXED: Final[dict[str, tuple[str, ...]]] = {
    "store": ("url", "password", "lane", "takeover", "backup"),
    "api": ("listen", "socket"),
    "diameter": ("identity", "realm", "served_realms", "aliases", "listen"),
    "events": ("mqtt",),
    "privacy": ("key",),
}
"""Keys that a gateway keeps from its start to its end, by section: sockets that are open, and names that others know it by."""

Item = TypeVar("Item", bound=Section)


class Sorted(msgspec.Struct, frozen=True):
    """The names of items that were added, removed or changed."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.added or self.removed or self.changed)


class Changes(msgspec.Struct, frozen=True):
    """What differs: the sections and files, the keys among them that need a restart, and the items of the three lists."""

    sections: tuple[str, ...]
    restart: tuple[str, ...]
    links: Sorted
    peers: Sorted
    hosts: Sorted


def compare(old: Settings, new: Settings, stale: Iterable[str] = ()) -> Changes:
    """Compare two configurations; `stale` are names of links and peers to be taken for changed, as their certificates are."""
    again = frozenset(stale)
    sections = tuple(name for name in (*SECTIONS, *FILES) if getattr(old, name) != getattr(new, name))
    old_peers = old.diameter.peers if old.diameter else []
    new_peers = new.diameter.peers if new.diameter else []
    return Changes(
        sections,
        tuple(key for name in sections for key in _fixed(old, new, name)),
        _sort({link.name: link for link in old.smpp.links}, {link.name: link for link in new.smpp.links}, again),
        _sort(
            {_name(peer): _wired(peer) for peer in old_peers}, {_name(peer): _wired(peer) for peer in new_peers}, again
        ),
        _sort(
            {host.name: host for host in old.provisioning.hosts}, {host.name: host for host in new.provisioning.hosts}
        ),
    )


def _fixed(old: Settings, new: Settings, section: str) -> Iterable[str]:
    before, after = getattr(old, section), getattr(new, section)
    if before is None or after is None:  # Diameter as a whole comes or goes
        return (section,)
    return (f"{section}.{key}" for key in FIXED.get(section, ()) if getattr(before, key) != getattr(after, key))


def _name(peer: DiameterPeer) -> str:
    return peer.identity.lower()


def _wired(peer: DiameterPeer) -> DiameterPeer:
    """Leave out the profile: how requests are read takes no new connection."""
    return peer.model_copy(update={"profile": "standard"})


def _sort(old: dict[str, Item], new: dict[str, Item], stale: frozenset[str] = frozenset()) -> Sorted:
    return Sorted(
        tuple(name for name in new if name not in old),
        tuple(name for name in old if name not in new),
        tuple(name for name in new if name in old and (name in stale or new[name] != old[name])),
    )
