"""What every command knows of its call: which configuration, read when it is first asked for."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli.errors import CommandFailed, ExitCode

if TYPE_CHECKING:
    from gateway.settings import Settings

DEFAULT_CONFIG: Final = Path("config/gateway.yaml")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
"""The option of every command that reports, as a keyword: `*, as_json: AsJson = False`."""


class Invocation:
    """One call of `tpo`; a configuration that can't be used ends the command with exit code 78."""

    def __init__(self, config: Path) -> None:
        self.config = config

    @cached_property
    def settings(self) -> Settings:
        """The checked configuration, with its secrets: for a command that opens the store or is the gateway."""
        return self._load(for_client=False)

    @cached_property
    def client_settings(self) -> Settings:
        """The configuration without its secrets, for a command that talks to the running gateway."""
        return self._load(for_client=True)

    def _load(self, *, for_client: bool) -> Settings:
        from gateway.settings import ConfigInvalid, load  # noqa: PLC0415  (pydantic; `tpo --help` needs none)

        try:
            return load(self.config, for_client=for_client)
        except ConfigInvalid as invalid:
            what = f"the configuration can't be used\n{invalid}"
            to_do = "mend it, then run `tpo config check`; name another one by --config or TPO_CONFIG"
            raise CommandFailed(what, where=str(self.config), to_do=to_do, exit_code=ExitCode.CONFIG) from None


def of(ctx: typer.Context) -> Invocation:
    """Return the invocation that a command belongs to."""
    found = ctx.find_object(Invocation)
    if found is None:
        message = "the root callback of tpo has not run"
        raise RuntimeError(message)
    return found
