"""The rates that use in a pack was priced by: their terms, and which price list they stand in, by its SHA-256."""

import hashlib
from typing import Any

import msgspec
from sqlalchemy import Connection

from gateway.billing.packs.labels import Labels
from gateway.ledger.checks.plan_versions import PlanVersions
from gateway.rating.rate_keys import rate_by, read_key
from gateway.store.versions import PLAN, read


class RateTable:
    """Gives each rate its label, once."""

    def __init__(self, connection: Connection, labels: Labels) -> None:
        """Take the store, whose versions of plans are read."""
        self._plans, self._labels = PlanVersions(connection), labels
        self._hashes = {
            version.id: hashlib.sha256((version.content or "").encode()).hexdigest()
            for version in read(connection, PLAN)
        }
        self._known: dict[tuple[Any, ...], str | None] = {}
        self.rows: list[dict[str, Any]] = []

    def label(self, row: Any) -> str | None:  # noqa: ANN401  (a row)
        """Return the label of the rate of a record; None where its version is not known."""
        key = (row.version, row.rate_key or "", row.service, row.rating_group)
        if key not in self._known:
            self._known[key] = self._add(*key)
        return self._known[key]

    def _add(self, version: int | None, rate_key: str, service: str, rating_group: int | None) -> str | None:
        plan = None if version is None else self._plans.plan(version)
        rate = None if plan is None else rate_by(plan, service, rating_group, read_key(rate_key))
        if rate is None or version is None:
            return None
        terms = msgspec.to_builtins(msgspec.structs.replace(rate, at={}))
        label = self._labels.of("rate", version, rate_key, service, rating_group)
        self.rows.append({"rate": label, "terms": terms, "prices": self._hashes.get(version)})
        return label
