"""`tpo charity`: causes, and what concerns their givers."""

from __future__ import annotations

import typer

from gateway.cli import evidence_packs, gift_aid

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
app.add_typer(gift_aid.app, name="gift-aid")
evidence_packs.add_to(app)


@app.callback()
def _group() -> None:
    """Causes and their givers: gift-aid, audit, evidence."""
