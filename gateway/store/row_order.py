"""The order in which the row sets of a batch are loaded and saved: one list, so that row locks are always taken in one order.

A row set may name its keys from those that stand before it: a text's payer is known once its text is loaded. The store knows
none of these classes, only their names; each class looks its place up when it is defined.
"""

from typing import Final

ROW_SETS: Final = (
    "HeldReportRows",
    "FraudCaseRows",
    "IdentifierRows",
    "PaymentRows",
    "KeyRows",
    "AwaitedRows",
    "DoubtfulRows",
    "OrderRows",
    "EarlyRows",
    "SimRows",
    "SessionRows",
    "HolderRows",
    "TextRows",
    "OptOutRows",
    "SenderRows",
    "WalletRows",
    "ProfileRows",
    "AnswerRows",
    "OutboxRows",
)


class RowOrder:
    """Gives each kind of row set its own place in the order; TypeError for one without a place, or whose place is taken."""

    def __init__(self, names: tuple[str, ...]) -> None:
        """Take the names of the classes, the first to be loaded first; ValueError if one stands there twice."""
        self._places = {name: place for place, name in enumerate(names)}
        if len(self._places) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"twice in the order of row sets: {', '.join(twice)}")
        self._takers: dict[str, str] = {}

    def place_of(self, kind: type) -> int:
        """Give the place of a class by its name, and keep it for this class."""
        name, taker = kind.__name__, f"{kind.__module__}.{kind.__qualname__}"
        if name not in self._places:
            raise TypeError(f"{taker} has no place in the order of row sets: add {name} to {__name__}.ROW_SETS")
        if self._takers.setdefault(name, taker) != taker:
            raise TypeError(
                f"{taker} is named like {self._takers[name]}: each row set needs a name and a place of its own"
            )
        return self._places[name]


row_order: Final = RowOrder(ROW_SETS)
