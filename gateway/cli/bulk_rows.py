"""The rows of a bulk: what each one orders, checked by itself and against the rows before it, and the key of its order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from gateway.api.actions.order_fields import read_kind, read_request
from gateway.api.conversion import to_request
from gateway.api.problems import Problem
from gateway.api.requests.orders import SimOrder
from gateway.cli.csv_table import Row
from gateway.settings import Settings
from provisioning.orders import Kind

COLUMNS: Final = ("action", "iccid", "msisdn", "plan", "cause", "reason", "new_iccid")
DEFAULT_ACTION: Final = "activate"


class OrderRow(NamedTuple):
    """A row that can be ordered; `params` is the row of the action sim.bulk, its key included."""

    line: int
    params: dict[str, str | bool]

    @property
    def iccid(self) -> str:
        """The card that it is about."""
        return str(self.params["iccid"])

    @property
    def key(self) -> str:
        """The row's own key, under which it is ordered for the first time."""
        return ":".join(str(self.params["key"]).split(":")[:2])

    @property
    def given_again(self) -> bool:
        """Whether it is ordered under another key than its own, since an earlier order of it was taken back."""
        return self.params["key"] != self.key

    def after(self, order: str) -> OrderRow:
        """Return the row to be ordered again after an order that was taken back; it has one key for that, whoever asks."""
        return self._replace(params=self.params | {"key": f"{self.key}:{order}"})


class Fault(NamedTuple):
    """A row that cannot be ordered, and why."""

    line: int
    iccid: str
    message: str


class Checker:
    """Checks the rows of one file. `batch` sets the keys of one bulk apart from those of another with the same rows.

    `adopt`: activations take over what the host holds already.
    """

    def __init__(self, settings: Settings, batch: str, *, adopt: bool = False) -> None:
        self._settings, self._batch, self._adopt = settings, batch, adopt
        self._claimed: dict[tuple[str, str], int] = {}

    def check(self, rows: Iterable[Row]) -> tuple[list[OrderRow], list[Fault]]:
        """Part the rows that can be ordered from those that cannot."""
        order_rows: list[OrderRow] = []
        faults: list[Fault] = []
        for row in rows:
            values = {name: text.strip() for name, text in row.values.items() if text.strip()}
            try:
                order_rows.append(self._order_row(row.line, values))
            except Problem as problem:
                faults.append(Fault(row.line, values.get("iccid", ""), problem.detail))
            except _Claimed as claimed:
                faults.append(Fault(row.line, values.get("iccid", ""), str(claimed)))
        return order_rows, faults

    def _order_row(self, line: int, values: dict[str, str]) -> OrderRow:
        kind = read_kind(values.pop("action", DEFAULT_ACTION).lower())
        adopt = {"adopt": True} if self._adopt and kind is Kind.ACTIVATE else {}
        asked = read_request(kind, to_request({**values, **adopt}, SimOrder), self._settings, "")
        said = {name: text for name, text in msgspec.structs.asdict(asked.request).items() if text}
        params = {"kind": str(kind), "iccid": asked.iccid, **said}
        self._claim(line, params)
        return OrderRow(line, params | {"key": key_of(params, self._batch)})

    def _claim(self, line: int, params: dict[str, str | bool]) -> None:
        """Refuse a second order for a card or a number: they would run at the same time."""
        names = {"iccid": "card", "new_iccid": "card", "msisdn": "number"}
        claims = [(what, str(params[name])) for name, what in names.items() if name in params]
        for what, number in claims:
            if (first := self._claimed.get((what, number))) is not None:
                raise _Claimed(f"line {first} is about the same {what}; give one order a {what} in a file")
        self._claimed.update(dict.fromkeys(claims, line))


class _Claimed(Exception):
    """Another row of the file is about the same card or number."""


def key_of(params: dict[str, str | bool], batch: str = "") -> str:
    """Derive the key of a row from what it orders: the same row again, anywhere in a file, is the same order.

    The cause is left out: the key is kept beside the card's number, and few causes are soon tried. A row that comes again with
    another cause is refused, as any key is that comes with another order.
    """
    told: dict[str, str | bool] = {name: text for name, text in params.items() if name != "cause"}
    told |= {"batch": batch} if batch else {}
    return f"bulk:{hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()}"
