"""Ask for page after page of a list, so that however long it is, one page is in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.cli.client import Ask, Listing

PAGE: Final = 5000


def pages(
    ask: Ask,
    action: str,
    params: Mapping[str, object],
    *,
    after: int | str = 0,
    limit: int | None = None,
    page: int = PAGE,
) -> Iterator[Listing]:
    """Return the pages behind `after`, with `limit` rows at most in all."""
    from gateway.cli.client import Listing  # noqa: PLC0415  (`tpo --help` starts faster)

    behind: int | str | None = after
    left = limit
    while behind is not None and (left is None or left > 0):
        size = page if left is None else min(page, left)
        found = ask(action, {**params, "after": behind, "limit": size}, Listing)
        if left is not None:
            found = Listing(found.rows[:left], found.columns, found.next)
            left -= len(found.rows)
        behind = found.next
        yield found
