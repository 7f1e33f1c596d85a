"""What commands say of several gateways on one store: which one is meant, which one a row is of, and which gave no answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli.output import complain

if TYPE_CHECKING:
    from gateway.api.answers.nodes import NodeProblem
    from gateway.settings import Settings

Node = Annotated[
    str | None,
    typer.Option("--node", metavar="NAME", help="Of several gateways on one store the one meant, by its identity."),
]
NO_ANSWER: Final = "no answer"
"""The state of a row that stands for a gateway that gave none."""
Row = Mapping[str, object]


def shares_store(settings: Settings) -> bool:
    """Return whether there may be other gateways on the store: rows say then whose they are, also where all are of one."""
    return not settings.store.url.startswith("sqlite")


def with_silent(rows: Sequence[Row], silent: Iterable[NodeProblem], fields: Iterable[str]) -> list[Row]:
    """Return the rows, and one for each gateway that gave no answer: its name, `no answer`, and why, in `detail`."""
    empty: dict[str, object] = dict.fromkeys(fields)
    return [*rows, *({**empty, "node": one.node, "state": NO_ANSWER, "detail": one.detail} for one in silent)]


def for_people(rows: Sequence[Row], brief: Sequence[str], *, several: bool = False) -> list[Row]:
    """Choose what a table shows of rows: their gateway only where there are several, why one is silent where one is."""
    several = several or len({row.get("node") for row in rows}) > 1
    unheard = any(row.get("state") == NO_ANSWER for row in rows)
    columns = [*brief, *(["node"] if several or unheard else []), *(["detail"] if unheard else [])]
    return [{name: row.get(name) for name in columns} for row in rows]


def complain_of(silent: Iterable[NodeProblem]) -> None:
    """Say on the standard error which gateways gave no answer, and why."""
    for one in silent:
        complain(f"tpo: {one.node}: {one.detail}")
