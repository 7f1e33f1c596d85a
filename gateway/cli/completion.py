"""What the shell's completion offers beside commands and options: names from the configuration, never from customers' data.

Completion is silent: a configuration that cannot be used offers nothing, and says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from gateway.cli.context import DEFAULT_CONFIG

if TYPE_CHECKING:
    from gateway.settings import Settings

VARIABLE: Final = "_TPO_COMPLETE"
"""The environment variable by which the shell asks."""
TEXT_STATES: Final = ("queued", "submitted", "doubtful", "delivered", "failed", "expired", "cancelled")
Names = Callable[[str], list[str]]


def one_of(*names: str) -> Names:
    """Complete one of these words."""
    return lambda incomplete: [name for name in names if name.startswith(incomplete)]


def links(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of an SMPP link."""
    return _names(ctx, incomplete, lambda found: [link.name for link in found.smpp.links] if found.smpp else [])


def peers(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete the identity of a Diameter peer."""
    return _names(ctx, incomplete, lambda found: [p.identity for p in found.diameter.peers] if found.diameter else [])


def hosts(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of a host that cards are activated at."""
    return _names(
        ctx, incomplete, lambda found: [h.name for h in found.provisioning.hosts] if found.provisioning else []
    )


def listened_to(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete whatever a trace can listen to: a link, a peer or a host."""
    return [*links(ctx, incomplete), *peers(ctx, incomplete), *hosts(ctx, incomplete)]


def plans(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete the id of a plan."""
    return _names(ctx, incomplete, lambda found: found.plans)


def causes(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete the id of a cause that takes new choices."""
    return _names(ctx, incomplete, lambda found: [name for name, cause in found.causes.items() if cause.open])


def _names(ctx: typer.Context, incomplete: str, choose: Callable[[Settings], Iterable[str]]) -> list[str]:
    from gateway.settings import ConfigInvalid, load  # noqa: PLC0415  (pydantic; commands and options need none)

    config = Path(ctx.find_root().params.get("config") or DEFAULT_CONFIG)
    try:
        return sorted(name for name in choose(load(config, for_client=True)) if name.startswith(incomplete))
    except ConfigInvalid:
        return []


def notice_kinds(incomplete: str) -> list[str]:
    """Return the kinds of notices."""
    from gateway.notices.kinds import NoticeKind  # noqa: PLC0415  (as above)

    return [kind for kind in NoticeKind if kind.startswith(incomplete)]
