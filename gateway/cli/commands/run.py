"""`tpo run`: the daemon, in the foreground."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import context
from gateway.cli.errors import CommandFailed, ExitCode

if TYPE_CHECKING:
    from gateway.store.errors import StoreError

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def run(
    ctx: typer.Context,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Run the gateway in the foreground until SIGTERM or SIGINT; logs go to the standard output.

    \b
    Examples:
      tpo run
      tpo --config /etc/tpo/gateway.yaml run --log-level debug
    """
    came_early = _keep_early_reloads()
    from gateway import logs  # noqa: PLC0415  (`tpo --help` starts faster without the daemon)
    from gateway.balance.still_needed import StillNeeded  # noqa: PLC0415  (as above)
    from gateway.privacy.pseudonyms import KeyInvalid  # noqa: PLC0415  (as above)
    from gateway.runtime import lane_process  # noqa: PLC0415  (as above)
    from gateway.runtime.daemon import Daemon  # noqa: PLC0415  (as above)
    from gateway.store.errors import StoreError  # noqa: PLC0415  (as above)

    settings = context.of(ctx).settings
    if log_level not in logs.LEVELS:
        raise typer.BadParameter(f"{log_level!r} is none of {', '.join(logs.LEVELS)}")
    logs.configure(log_level)
    lane = lane_process.fork() if settings.store.lane == "process" else None

    async def serve() -> None:
        await Daemon(settings, lane_process=lane).run(announce=up)

    def up(_line: str) -> None:
        if came_early:
            signal.raise_signal(signal.SIGHUP)

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(serve())
    except (KeyInvalid, StillNeeded) as error:
        raise CommandFailed(str(error), where=settings.store.url, exit_code=ExitCode.CONFIG) from None
    except StoreError as error:
        raise _store_failure(error, settings.store.url) from None
    except OSError as error:
        raise CommandFailed(
            f"the gateway cannot start: {error}", to_do="see which process has the port or the file"
        ) from None


def _store_failure(error: StoreError, url: str) -> CommandFailed:
    """Return what a command says that ends for the store's sake."""
    from gateway.store import errors  # noqa: PLC0415  (as above)

    match error:
        case errors.SchemaMismatch():
            return CommandFailed(str(error), where=url, exit_code=ExitCode.CONFIG)
        case errors.StoreLocked():
            return CommandFailed(str(error), where=url, to_do="a gateway runs already; ask it with `tpo status`")
        case errors.StoreCorrupt():
            to_do = "docs/runbooks/store-unavailable.md tells how to mend it; nothing was changed"
            return CommandFailed(f"the store is damaged: {error}", where=url, to_do=to_do)
        case errors.StoreFenced():
            to_do = (
                "docs/runbooks/node-fenced.md tells what to look at; then start it again, it goes on under a new number"
            )
            return CommandFailed(f"another gateway has taken over: {error}", where=url, to_do=to_do)
        case errors.LaneLost():
            to_do = "docs/runbooks/lane-restarts.md tells what to look at; then start it again: nothing acknowledged is lost"
            return CommandFailed(str(error), where=url, to_do=to_do)
        case _:
            return CommandFailed(f"the store cannot be opened: {error}", where=url, exit_code=ExitCode.UNREACHABLE)


def _keep_early_reloads() -> list[int]:
    """Note each SIGHUP that comes before the gateway is up: it would end the process, and the file may have been read already.

    The daemon takes the signal over when it is ready; one that was noted is raised again then.
    """
    came: list[int] = []
    signal.signal(signal.SIGHUP, lambda number, _frame: came.append(number))
    return came


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed; the gateway works the same without it."""
    try:
        import uvloop  # noqa: PLC0415  (optional)
    except ImportError:
        return None
    return uvloop.new_event_loop
