"""`tpo events`: what the company hears, as it stands in the outbox."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from gateway.cli import context
from gateway.cli.context import AsJson
from gateway.cli.output import emit, json_text

app = typer.Typer(rich_markup_mode=None, add_completion=False)
PAUSE = 1.0


@app.command()
def events(
    ctx: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", help="Go on as new events come, until interrupted.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=5000, help="The most events to begin with.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the latest events of the outbox, published or not, one JSON object a line.

    \b
    Examples:
      tpo events
      tpo events --follow
      tpo events --limit 100 --json
    """
    from gateway.cli.backend import asking  # noqa: PLC0415  (`tpo --help` starts faster)
    from gateway.cli.client import Listing  # noqa: PLC0415  (as above)

    with asking(context.of(ctx).client_settings) as ask:
        rows = ask("events.list", {"limit": limit}, Listing).rows
        if as_json and not follow:
            emit(rows, as_json=True)
            return
        last = 0
        while True:
            for row in rows:
                sys.stdout.write(f"{json_text(row)}\n")
                last = max(last, int(str(row["id"])))
            sys.stdout.flush()
            if not follow:
                return
            time.sleep(PAUSE)
            rows = ask("events.list", {"after": last, "limit": 500}, Listing).rows
