"""`tpo charity`: causes, what each is owed and paid, the proof that they have it, and what concerns their givers."""

from __future__ import annotations

import typer

from gateway.cli.commands import charity_account, charity_evidence, charity_payments, charity_reports, gift_aid

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
charity_reports.add_to(app)
charity_payments.add_to(app)
charity_account.add_to(app)
charity_evidence.add_to(app)
app.add_typer(gift_aid.app, name="gift-aid")


@app.callback()
def _group() -> None:
    """Causes, and their money: what each is owed and paid, by whom that is approved, the evidence of it, and Gift Aid."""
