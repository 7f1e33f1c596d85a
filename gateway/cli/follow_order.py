"""Follow an order to its end: its steps live on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import typer
from msgspec import structs

from gateway.cli.client import Ask
from gateway.cli.errors import CommandFailed, ExitCode
from gateway.cli.output import complain, emit, plain
from gateway.sims.views import OrderView
from provisioning.orders import OrderState

if TYPE_CHECKING:
    from rich.table import Table

POLL: Final = 0.3
"""Seconds between two looks at an order."""
OPEN: Final = frozenset({OrderState.ACCEPTED, OrderState.RUNNING})
DONE: Final = OrderState.DONE
_ADVICE: Final = {
    "failed": "mend what it says, then `tpo order retry {id}` goes on where it stands; "
    "`tpo order cancel {id}` takes it back",
    "compensated": "nothing of it is left; mend what it says and order it again",
    "cancelled": "order it again if it is wanted after all",
}
Show = Callable[[OrderView], None]


def finish(ask: Ask, order_id: str, *, as_json: bool, sleep: Callable[[float], None] = time.sleep) -> None:
    """Wait for an order's end and print it; exits with 1 unless it is done, 75 if the person stops waiting."""
    try:
        order = follow(ask, order_id, sleep=sleep)
    except KeyboardInterrupt:
        complain(f"tpo: order {order_id} goes on without you; see it with `tpo order show {order_id}`")
        raise typer.Exit(ExitCode.PARTLY_DONE) from None
    emit(order if as_json else _head(order), as_json=as_json)
    if order.state != DONE:
        what = f"the order is {order.state}" + (f": {order.error}" if order.error else "")
        raise CommandFailed(what, where=f"order {order_id}", to_do=_ADVICE[order.state].format(id=order_id))


def follow(ask: Ask, order_id: str, *, sleep: Callable[[float], None] = time.sleep) -> OrderView:
    """Show an order's steps on standard error until it has come to its end, and give it."""
    with _screen() as show:
        while True:
            order = ask("order.show", {"id": order_id}, OrderView)
            show(order)
            if order.state not in OPEN:
                return order
            sleep(POLL)


def print_order(order: OrderView, *, as_json: bool) -> None:
    """Print an order, then a table of its steps."""
    if as_json:
        emit(order, as_json=True)
        return
    emit(_head(order), as_json=False)
    sys.stdout.write("\n")
    emit(order.steps, as_json=False)


def _head(order: OrderView) -> dict[str, object]:
    """Return what is not about single steps, and says something."""
    return {name: value for name, value in structs.asdict(order).items() if name != "steps" and value is not None}


@contextmanager
def _screen() -> Iterator[Show]:
    if not sys.stderr.isatty():
        yield _Lines().show
        return
    from rich.console import Console  # noqa: PLC0415  (nothing is drawn elsewhere)
    from rich.live import Live  # noqa: PLC0415  (as above)

    with Live(console=Console(stderr=True, highlight=False), auto_refresh=False) as live:
        yield lambda order: live.update(_drawn(order), refresh=True)


def _drawn(order: OrderView) -> Table:
    from rich.table import Table  # noqa: PLC0415  (nothing is drawn elsewhere)
    from rich.text import Text  # noqa: PLC0415  (as above)

    styles = {"done": "green", "sent": "yellow", "undone": "magenta"}
    back = ", going back" if order.undoing and order.state in OPEN else ""
    table = Table(
        box=None,
        pad_edge=False,
        title=f"order {order.id}: {order.kind}, {order.state}{back}",
        title_justify="left",
    )
    for name in ("step", "mark", "tries", "error"):
        table.add_column(name, overflow="fold")
    for step in order.steps:
        mark = Text(step.mark, style=styles.get(step.mark, ""))
        table.add_row(Text(step.name), mark, Text(str(step.attempts or "")), Text(plain(step.error or "")))
    return table


class _Lines:
    """Prints each change of a step, and of the order's state, once."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def show(self, order: OrderView) -> None:
        """Print what has changed since the last look."""
        for step in order.steps:
            tries = f", try {step.attempts}" if step.attempts > 1 else ""
            error = f": {plain(step.error)}" if step.error else ""
            self._print(step.name, f"{step.mark}{tries}{error}")
        self._print(f"order {order.id}", order.state + (", going back" if order.undoing else ""))

    def _print(self, name: str, now: str) -> None:
        if self._told.get(name, "waiting") != now:
            complain(f"{name}: {now}")
        self._told[name] = now
