"""Ask for an action: of the running gateway by its socket or, while it is stopped, of the store itself under its lock."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gateway.cli.client import ActionRefused, Answer, Ask, DaemonUnreachable, JsonObject, call
from gateway.cli.context import Invocation
from gateway.cli.errors import CommandFailed, ExitCode
from gateway.settings import Settings

TIMEOUT = 600.0
"""Seconds; a large import or check takes its time."""


@contextmanager
def asking(settings: Settings) -> Iterator[Ask]:
    """Lend a function that runs actions for the time of one command.

    The settings may be those of a client: the secrets of the gateway are read only where it is stopped.
    """
    if _may_run(settings.api.socket):
        try:
            call(settings, "status", {}, JsonObject, timeout=10)
        except DaemonUnreachable as error:
            if error.what != "the gateway is not running":
                raise
        else:

            def ask(action: str, params: Mapping[str, object], kind: type[Answer]) -> Answer:
                return call(settings, action, params, kind, timeout=TIMEOUT)

            yield ask
            return
    with _own_context(settings) as own:
        yield own


def _print_progress(work: str, rows: int) -> None:
    """Show a person how far a long report has come."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{work}: {rows} rows" if rows else "\r\x1b[K")
        sys.stderr.flush()


def _may_run(socket: Path) -> bool:
    try:
        return socket.exists()
    except PermissionError:  # a folder on the way to it
        return True


@contextmanager
def _own_context(client_settings: Settings) -> Iterator[Ask]:
    from gateway.api.actions.table import ACTIONS  # noqa: PLC0415  (as above)
    from gateway.api.callers import ADMIN, Caller  # noqa: PLC0415  (as above)
    from gateway.api.json_values import check_value  # noqa: PLC0415  (as above)
    from gateway.api.problems import Problem  # noqa: PLC0415  (as above)
    from gateway.balance.still_needed import StillNeeded  # noqa: PLC0415  (as above)
    from gateway.context import GatewayContext  # noqa: PLC0415  (a daemon that runs needs none of this here)
    from gateway.policies import make_policies  # noqa: PLC0415  (as above)
    from gateway.privacy.access import CAUSES  # noqa: PLC0415  (as above)
    from gateway.privacy.pseudonyms import KeyInvalid  # noqa: PLC0415  (as above)
    from gateway.store.errors import SchemaMismatch, StoreError, StoreLocked  # noqa: PLC0415  (as above)

    settings = Invocation(client_settings.file).settings
    try:
        context = GatewayContext(settings, make_policies)
    except (SchemaMismatch, KeyInvalid, StillNeeded) as error:
        raise CommandFailed(str(error), where=settings.store.url, exit_code=ExitCode.CONFIG) from None
    except StoreLocked as error:
        raise CommandFailed(str(error), to_do="wait for it to end, or ask the gateway that runs") from None
    except (StoreError, OSError) as error:
        raise CommandFailed(
            f"the store cannot be opened: {error}", where=settings.store.url, exit_code=ExitCode.UNREACHABLE
        ) from None

    context.progress = _print_progress
    caller = Caller(f"local:{os.getuid()}", ADMIN, frozenset({CAUSES}))  # whoever opens the store may read all of it

    def ask(action: str, params: Mapping[str, object], kind: type[Answer]) -> Answer:
        try:
            check_value(dict(params))
            return msgspec.convert(msgspec.to_builtins(ACTIONS[action].perform(context, params, caller)), kind)
        except Problem as problem:
            raise ActionRefused(problem.body(), where=action) from None
        except StoreError as error:
            raise CommandFailed(str(error), where=settings.store.url) from None

    try:
        yield ask
    finally:
        context.close()
