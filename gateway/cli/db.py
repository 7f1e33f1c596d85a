"""`tpo db`: the store's tables."""

from __future__ import annotations

import typer

from gateway.cli import invocation
from gateway.cli.errors import CommandFailed, ExitCode
from gateway.cli.invocation import AsJson
from gateway.cli.output import emit

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@app.callback()
def _group() -> None:
    """Keep the store's tables: bring them to this version."""


@app.command()
def upgrade(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Bring the tables of the store to this program's version; the gateway must be stopped.

    \b
    Examples:
      tpo db upgrade
    """
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415  (`tpo --help` starts faster)

    from gateway.store import lock, schema  # noqa: PLC0415  (as above)
    from gateway.store.engine import open_writer  # noqa: PLC0415  (as above)
    from gateway.store.errors import SchemaMismatch, StoreLocked  # noqa: PLC0415  (as above)

    settings = invocation.of(ctx).settings
    node = settings.diameter.identity if settings.diameter else "gateway"
    try:
        held = lock.take(settings.store.connect_url, node)
    except StoreLocked as error:
        raise CommandFailed(str(error), to_do="stop the gateway first") from None
    try:
        before, after = schema.upgrade(open_writer(settings.store.connect_url))
    except SchemaMismatch as error:
        raise CommandFailed(str(error), where=settings.store.url, exit_code=ExitCode.CONFIG) from None
    except DBAPIError as error:
        raise CommandFailed(f"the store cannot be upgraded: {error.orig}", exit_code=ExitCode.UNREACHABLE) from None
    finally:
        held.release()
    emit({"before": before, "after": after}, as_json=as_json)
