"""Which module holds which command; each is imported when its command is called, so that `tpo` starts fast.

Other packages add commands by an entry point of the group `tpo.commands`: its name is the command, its value a typer
app. One that doesn't load is shown as such and leaves the rest alone.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from gateway.cli.errors import CommandFailed

OWN: Final[dict[str, str]] = {
    "init": "gateway.cli.commands.init",
    "run": "gateway.cli.commands.run",
    "status": "gateway.cli.commands.status",
    "reload": "gateway.cli.commands.reload",
    "drain": "gateway.cli.commands.drain",
    "config": "gateway.cli.commands.config",
    "subscriber": "gateway.cli.commands.subscriber",
    "sms": "gateway.cli.commands.sms",
    "link": "gateway.cli.commands.link",
    "sim": "gateway.cli.commands.sim",
    "order": "gateway.cli.commands.order",
    "session": "gateway.cli.commands.session",
    "usage": "gateway.cli.commands.usage",
    "notice": "gateway.cli.commands.notice",
    "fraud": "gateway.cli.commands.fraud",
    "plan": "gateway.cli.commands.plan",
    "bill": "gateway.cli.commands.bill",
    "ledger": "gateway.cli.commands.ledger",
    "charity": "gateway.cli.commands.charity",
    "events": "gateway.cli.commands.events",
    "trace": "gateway.cli.commands.trace",
    "node": "gateway.cli.commands.node",
    "db": "gateway.cli.commands.db",
}
"""Our commands, in the order of `tpo --help`: the module that has each one's `app`."""

SECTIONS: Final[dict[str, tuple[str, ...]]] = {
    "Begin here": ("init", "run", "status", "demo", "simulate"),
    "Lines and cards": ("subscriber", "sim", "order", "notice"),
    "Traffic": ("link", "sms", "session", "usage", "fraud"),
    "Money": ("plan", "bill", "ledger", "charity"),
    "Operation": ("config", "reload", "drain", "events", "trace", "replay", "node", "db"),
}
"""How `tpo --help` groups them; a command that is in none of these stands at the end, under `More`."""

ENTRY_POINTS: Final = "tpo.commands"


class LazyGroup(TyperGroup):
    """The root of `tpo`: finds a command by its name, and only then imports it."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # typer's own Context class is private
        """Return our commands, then those of others."""
        del ctx
        return [*OWN, *sorted(set(_others()) - set(OWN))]

    def get_command(self, ctx: typer.Context, cmd_name: str) -> TyperCommand | TyperGroup | None:  # type: ignore[override]  # as above
        """Import the command `cmd_name`."""
        del ctx
        if cmd_name in OWN:
            return _own(cmd_name)
        entry = _others().get(cmd_name)
        return None if entry is None else _load(entry)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401  (typer's own classes are private)
        """Find the command that `args` begin with, or end with a usage error that names those like it."""
        name = args[0]
        if (
            name in OWN or name.startswith("-") or ctx.resilient_parsing
        ):  # else files of every installed package are read
            return super().resolve_command(ctx, args)
        if name not in (known := self.list_commands(ctx)):
            like = " or ".join(f"'{each}'" for each in get_close_matches(name, known))
            ctx.fail(f"No such command '{name}'." + (f" Did you mean {like}?" if like else " `tpo --help` lists all."))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  (as above)
        """Write the commands in their sections, so that a newcomer sees where to begin."""
        names = self.list_commands(ctx)
        placed = {name for section in SECTIONS.values() for name in section}
        sections = {**SECTIONS, "More": tuple(name for name in names if name not in placed)}
        room = formatter.width - 6 - max(len(name) for name in names)
        for title, section in sections.items():
            found = [(name, self.get_command(ctx, name)) for name in section if name in names]
            rows = [(name, command.get_short_help_str(room)) for name, command in found if command is not None]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


@cache
def _own(name: str) -> TyperCommand | TyperGroup:
    return _named(name, import_module(OWN[name]).app)


def _others() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}


def _load(entry: EntryPoint) -> TyperCommand | TyperGroup:
    try:
        return _named(entry.name, entry.load())
    except Exception as error:  # noqa: BLE001  (whatever is wrong with a guest must not end `tpo`)
        return _named(entry.name, _broken(entry, error))


def _named(name: str, app: typer.Typer) -> TyperCommand | TyperGroup:
    command: Any = get_command(app)
    command.name = name
    found: TyperCommand | TyperGroup = command
    return found


def _broken(entry: EntryPoint, error: Exception) -> typer.Typer:
    reason = f"{type(error).__name__}: {error}"
    app = typer.Typer(add_completion=False)
    settings: dict[str, Any] = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
    app.command(help=f"(doesn't load: {reason})", context_settings=settings)(_refuse(entry, reason))
    return app


def _refuse(entry: EntryPoint, reason: str) -> Callable[[], None]:
    def refuse() -> None:
        raise CommandFailed(
            f"the command {entry.name} doesn't load: {reason}",
            where=f"entry point {entry.name} = {entry.value}",
            to_do="install its package again, or remove it; the other commands are not affected",
        )

    return refuse
