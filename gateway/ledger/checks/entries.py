"""Entries by themselves: they move something, are a row of the table of postings, and have a number of their own."""

from collections.abc import Iterable

from sqlalchemy import Connection, case, func, or_, select

from gateway.ledger.account_names import HIGHEST_SYSTEM
from gateway.ledger.balances import account_names
from gateway.ledger.checks.examined import SHOWN, Examined, Finding
from gateway.ledger.postings import Evidence, account_class, violation
from gateway.store.tables import transfers, usage


def well_formed(connection: Connection) -> Iterable[Finding]:
    """Name entries that move nothing, a negative amount, or from an account to itself."""
    bad = (
        select(transfers.c.id).where(or_(transfers.c.amount <= 0, transfers.c.debit == transfers.c.credit)).limit(SHOWN)
    )
    for (entry,) in connection.execute(bad):
        yield Finding("entry", f"entry {entry} moves nothing, a negative amount, or from an account to itself")


def postings_allowed(books: Examined) -> Iterable[Finding]:
    """Find entries of a kind, of accounts or without evidence that no row of the table of postings has.

    Entries are looked at in groups of equal shape, of which there are a few dozen however long the journal is.
    """
    names = account_names(books.connection)
    sides = [
        case((side < HIGHEST_SYSTEM, side), else_=HIGHEST_SYSTEM) for side in (transfers.c.debit, transfers.c.credit)
    ]
    carried = [transfers.c[evidence].is_not(None) for evidence in Evidence]
    shape = (transfers.c.kind, *sides, *carried)
    for journal in books.journals:
        for kind, debit, credit, *there in journal.execute(select(*shape).distinct()):
            evidence = [each for each, carries in zip(Evidence, there, strict=True) if carries]
            why = violation(kind, account_class(debit, names), account_class(credit, names), evidence)
            if why is None:
                continue
            same = [side == value for side, value in zip(sides, (debit, credit), strict=True)]
            same += [column if carries else ~column for column, carries in zip(carried, there, strict=True)]
            found = select(transfers.c.id).where(transfers.c.kind == kind, *same).order_by(transfers.c.id).limit(SHOWN)
            for (entry,) in journal.execute(found):
                yield Finding("posting", f"entry {entry} may not be booked: {why}")


def numbered_once(books: Examined) -> Iterable[Finding]:
    """Find numbers that two months of a server's table have; within one, and on SQLite, its primary key sees to that.

    Of sealed months each file has the numbers of its month alone (`wrong_files`).
    """
    if books.connection.dialect.name == "sqlite":
        return
    for table, name in ((transfers, "entry"), (usage, "record")):
        doubled = select(table.c.id).group_by(table.c.id).having(func.count() > 1).limit(SHOWN)
        for (number,) in books.connection.execute(doubled):
            yield Finding("number", f"{name} {number} is there more than once")
