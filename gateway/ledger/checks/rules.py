"""Rules of the tenth that leave something out, as they are recorded: of what there may be no tenth.

A charge goes by the rule of its event's time among those that its gateway had then. For some seconds around a change two
gateways may have had two rules: either is taken as right.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, false, or_

from gateway.store.tables import usage
from gateway.store.versions import GONE, POLICY, Version, read

SALE: Final = "sale"
USAGE: Final = "usage"
GRACE_US: Final = 10_000_000


class Rule(NamedTuple):
    """A recorded rule: from when on it counts by events' time, and from when until when the gateways had it; microseconds."""

    name: str
    exclusions: frozenset[str]
    effective_from: int
    since: int
    until: int | None

    def leaves_out(self, what: str | None) -> bool:
        """Return whether it leaves out a sale, or a service; one that nobody knows any more may be left out."""
        if what == SALE or USAGE in self.exclusions:
            return what in self.exclusions or what != SALE
        return what in self.exclusions or (what is None and bool(self.exclusions - {SALE}))


def recorded_rules(connection: Connection) -> list[Rule]:
    """Return the rules that are or were in force; an empty list where none leaves anything out, as nearly always."""
    rules: list[Rule] = []
    for version in read(connection, POLICY):
        rules = [each._replace(until=version.valid_from) if _ends(each, version.name) else each for each in rules]
        if (said := read_rule(version)) is not None:
            exclusions, begins = frozenset(said.get("exclusions", ())), said.get("effective_from", 0)
            rules.append(Rule(version.name, exclusions, begins, version.valid_from, None))
    return rules if any(each.exclusions for each in rules) else []


def read_rule(version: Version) -> dict[str, Any] | None:
    """Return what a version says of a rule; None where it is gone, or was changed to what nobody can read."""
    try:
        said = json.loads(version.content or GONE)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _ends(rule: Rule, name: str) -> bool:
    return rule.name == name and rule.until is None


def may_be_left_out(rules: Sequence[Rule], what: str | None, event_at: int, at: int) -> bool:
    """Return whether a charge that was booked `at` may have no tenth, by a rule of its event's time."""
    return any(
        rule.leaves_out(what)
        and rule.effective_from <= event_at
        and rule.since - GRACE_US <= at
        and (rule.until is None or at <= rule.until + GRACE_US)
        and not any(
            other.effective_from <= event_at
            and other.since + GRACE_US <= at
            and (other.until is None or at <= other.until)
            for other in _later(rules, rule)
        )
        for rule in rules
    )


def left_out(rules: Sequence[Rule], entry: Any, *, sale: bool) -> ColumnElement[bool]:  # noqa: ANN401  (columns)
    """Return the same as a condition on entries: sales, or charges whose usage is joined to them."""
    conditions = []
    for rule in rules:
        what = _sale(rule) if sale else _service(rule)
        if what is None:
            continue
        in_time = [entry.event_at >= rule.effective_from, entry.at >= rule.since - GRACE_US]
        if rule.until is not None:
            in_time.append(entry.at <= rule.until + GRACE_US)
        for other in _later(rules, rule):
            counts = [entry.event_at >= other.effective_from, entry.at >= other.since + GRACE_US]
            if other.until is not None:
                counts.append(entry.at <= other.until)
            in_time.append(~and_(*counts))
        conditions.append(and_(*what, *in_time))
    return or_(false(), *conditions)


def _later(rules: Sequence[Rule], rule: Rule) -> Iterable[Rule]:
    return (other for other in rules if other.effective_from > rule.effective_from)


def _sale(rule: Rule) -> list[ColumnElement[bool]] | None:
    return [] if SALE in rule.exclusions else None


def _service(rule: Rule) -> list[ColumnElement[bool]] | None:
    """Return the condition on usage; what is swept may have been of any service."""
    services = rule.exclusions - {SALE}
    if not services:
        return None
    return [] if USAGE in services else [or_(usage.c.service.in_(sorted(services)), usage.c.id.is_(None))]
