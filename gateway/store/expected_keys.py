"""Which rows a batch will need of a server, before the rows are there that tell (decision 075).

A charging request names a number; the number's row tells whose it is, and so which wallet is needed: two waits, one after the
other. Whose a number was the last time is remembered here, and that wallet is asked for together with the number's row. This is
never believed: the batch still goes by the rows, and asks for what they tell otherwise.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from gateway.store.row_cache import Kept

if TYPE_CHECKING:  # which has batches work with what is expected
    from gateway.store.batch import Unit

MOST: Final = 65_536
"""Leads that are remembered at most, those used last: some 20 MB."""


class ExpectedKeys:
    """The keys that units named of rows behind others, by what led to them (`Unit.lead`); used by the lane's thread alone."""

    def __init__(self, most: int = MOST) -> None:
        """Remember nothing yet."""
        self._kept = Kept(most)

    def of(self, units: Iterable["Unit"]) -> set[object]:
        """Give the keys that these units will name, as far as is known; none where one of them leads to nothing known."""
        leads = {unit.lead() for unit in units}
        found = self._kept.find(leads)
        if len(found) < len(leads):
            return set()
        return {key for keys in found.values() for key in keys}  # type: ignore[attr-defined]  # as `learn` keeps them

    def learn(self, units: Sequence["Unit"], named: Sequence[tuple[object, ...]]) -> None:
        """Remember what each of these units has named."""
        self._kept.settle(
            {unit.lead(): keys for unit, keys in zip(units, named, strict=True) if unit.lead() is not None}
        )
